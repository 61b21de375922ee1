package durable

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Mkdir implements [FS]. Bits of perm other than 0777 are EINVAL.
func (r *Root) Mkdir(name string, perm fs.FileMode) error {
	if r.readOnly {
		return r.refuse("mkdir", name)
	}
	if perm&^fs.ModePerm != 0 {
		return r.fail("mkdir", name, unix.EINVAL)
	}
	at, err := r.parent(name)
	if err != nil {
		return r.fail("mkdir", name, err)
	}
	defer at.close()
	if err := mkdirat(at, perm); err != nil {
		return r.fail("mkdir", name, err)
	}
	return nil
}

// umask is held while the process's umask is changed.
var umask sync.Mutex

// mkdirat makes a directory with perm in one call. A later chmod would remove the
// set-group-id bit that the directory has inherited, or would have to set it, which
// RestrictSUIDSGID= of the unit refuses. The umask is 0 meanwhile; a file that is
// created at this moment gets exactly its mode, as it should.
func mkdirat(at place, perm fs.FileMode) error {
	umask.Lock()
	defer umask.Unlock()
	defer unix.Umask(unix.Umask(0))
	return retry(func() error { return unix.Mkdirat(at.fd, at.base, uint32(perm)) })
}

// Lstat implements [FS].
func (r *Root) Lstat(name string) (Info, error) {
	at, err := r.parent(name)
	if err != nil {
		return Info{}, r.fail("lstat", name, err)
	}
	defer at.close()
	var st unix.Stat_t
	if err := fstatat(at.fd, at.base, &st); err != nil {
		return Info{}, r.fail("lstat", name, err)
	}
	return infoOf(at.base, &st), nil
}

// openList opens a directory for reading its names or flushing it.
func (r *Root) openList(name string) (int, error) {
	if !cleanName(name) {
		return -1, ErrName
	}
	if !r.readOnly {
		return r.openDir(name, unix.O_RDONLY)
	}
	fd, err := r.openDir(name, unix.O_RDONLY|unix.O_NOATIME)
	if err == unix.EPERM {
		return r.openDir(name, unix.O_RDONLY)
	}
	return fd, err
}

// ReadDir implements [FS]. It omits an entry that is removed while the directory is
// read.
func (r *Root) ReadDir(name string) ([]Info, error) {
	fd, err := r.openList(name)
	if err != nil {
		return nil, r.fail("readdir", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	names, err := readNames(fd)
	if err != nil {
		return nil, r.fail("readdir", name, err)
	}
	infos := make([]Info, 0, len(names))
	var st unix.Stat_t
	for _, n := range names {
		switch err := fstatat(fd, n, &st); err {
		case nil:
			infos = append(infos, infoOf(n, &st))
		case unix.ENOENT:
		default:
			return nil, r.fail("readdir", path.Join(name, n), err)
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return infos, nil
}

func readNames(fd int) (names []string, err error) {
	buf := make([]byte, 8192)
	for {
		var n int
		err := retry(func() (err error) { n, err = unix.ReadDirent(fd, buf); return err })
		if err != nil || n == 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}

// ReadNames implements [Names].
func (r *Root) ReadNames(name string) ([]string, error) {
	fd, err := r.openList(name)
	if err != nil {
		return nil, r.fail("readdir", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	names, err := readNames(fd)
	if err != nil {
		return nil, r.fail("readdir", name, err)
	}
	slices.Sort(names)
	return names, nil
}

// SyncDir implements [FS].
func (r *Root) SyncDir(name string) error {
	if r.readOnly {
		return r.refuse("syncdir", name)
	}
	if name == "." { // the root's own descriptor is enough
		if err := retry(func() error { return unix.Fsync(r.Fd()) }); err != nil {
			return r.fail("syncdir", name, err)
		}
		return nil
	}
	fd, err := r.openList(name)
	if err != nil {
		return r.fail("syncdir", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := retry(func() error { return unix.Fsync(fd) }); err != nil {
		return r.fail("syncdir", name, err)
	}
	return nil
}
