package durable

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Open implements [FS].
func (r *Root) Open(name string) (File, error) {
	if !r.readOnly {
		return r.open(name, unix.O_RDONLY)
	}
	f, err := r.open(name, unix.O_RDONLY|unix.O_NOATIME)
	if isErrno(err, unix.EPERM) { // only the owner and root may use O_NOATIME
		return r.open(name, unix.O_RDONLY)
	}
	return f, err
}

// OpenWrite implements [FS].
func (r *Root) OpenWrite(name string) (File, error) {
	if r.readOnly {
		return nil, r.refuse("open", name)
	}
	return r.open(name, unix.O_RDWR)
}

// open checks the file before it opens it: opening a device can have effects (a watchdog
// starts to count, a tape rewinds). It checks again after opening, because the name may
// have been replaced meanwhile. O_NONBLOCK keeps the open from hanging on a FIFO.
func (r *Root) open(name string, flags int) (File, error) {
	at, err := r.parent(name)
	if err != nil {
		return nil, r.fail("open", name, err)
	}
	defer at.close()
	var st unix.Stat_t
	if err := fstatat(at.fd, at.base, &st); err != nil {
		return nil, r.fail("open", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, r.fail("open", name, NotRegularError(modeOf(st.Mode)))
	}
	fd, err := openat(at.fd, at.base, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, r.fail("open", name, err)
	}
	if err := regularFD(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, r.fail("open", name, err)
	}
	return newFile(fd, r.full(name), at.base), nil
}

// Create implements [FS]. Bits of perm other than 0777 are EINVAL.
func (r *Root) Create(name string, perm fs.FileMode) (File, error) {
	if r.readOnly {
		return nil, r.refuse("create", name)
	}
	if perm&^fs.ModePerm != 0 {
		return nil, r.fail("create", name, unix.EINVAL)
	}
	at, err := r.parent(name)
	if err != nil {
		return nil, r.fail("create", name, err)
	}
	defer at.close()
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := openat(at.fd, at.base, flags, uint32(perm))
	if err != nil {
		return nil, r.fail("create", name, err)
	}
	if err := exactMode(fd, perm); err != nil {
		_ = unix.Close(fd)
		_ = unix.Unlinkat(at.fd, at.base, 0)
		return nil, r.fail("create", name, err)
	}
	return newFile(fd, r.full(name), at.base), nil
}

// exactMode restores the bits that the umask or a default ACL removed from a new file.
func exactMode(fd int, perm fs.FileMode) error {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return err
	}
	if st.Mode&0o777 == uint32(perm) {
		return nil
	}
	return retry(func() error { return unix.Fchmod(fd, uint32(perm)) })
}

// regularFD fails unless fd is a regular file.
func regularFD(fd int, st *unix.Stat_t) error {
	if err := retry(func() error { return unix.Fstat(fd, st) }); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return NotRegularError(modeOf(st.Mode))
	}
	return nil
}
