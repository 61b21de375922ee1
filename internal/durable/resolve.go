package durable

import (
	"strings"

	"golang.org/x/sys/unix"
)

// place is a resolved parent directory and the component to act on in it.
type place struct {
	fd   int
	base string
	own  bool // close must close fd, which is not the root's
}

func (p place) close() {
	if p.own {
		_ = unix.Close(p.fd) // an O_PATH descriptor has nothing to flush
	}
}

// parent resolves the directory that holds name's last component.
func (r *Root) parent(name string) (place, error) {
	if !cleanName(name) {
		return place{}, ErrName
	}
	dir, base := splitName(name)
	if dir == "." {
		return place{fd: r.Fd(), base: base}, nil
	}
	fd, err := r.openDir(dir, unix.O_PATH)
	return place{fd: fd, base: base, own: true}, err
}

// openDir opens a directory beneath the root without following a link.
func (r *Root) openDir(name string, flags int) (int, error) {
	flags |= unix.O_DIRECTORY | unix.O_CLOEXEC
	if name == "." {
		return openat(r.Fd(), ".", flags, 0)
	}
	if r.walk.Load() {
		return r.walkDir(name, flags)
	}
	fd, err := openat2(r.Fd(), name, flags)
	if err != unix.ENOSYS && err != unix.EPERM {
		return fd, err
	}
	// ENOSYS means a kernel before 5.6; EPERM means a seccomp filter that does not
	// know openat2, or the file's own EPERM, which the walk then returns too.
	if fd, err = r.walkDir(name, flags); err == nil {
		r.walk.Store(true)
	}
	return fd, err
}

// openat2 resolves a whole name at once. EAGAIN means that a rename elsewhere disturbed
// the resolution; the kernel asks for another attempt. After some attempts the walk
// resolves the name instead.
func openat2(dirfd int, name string, flags int) (fd int, err error) {
	how := unix.OpenHow{
		Flags:   uint64(flags),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for range 64 {
		fd, err = unix.Openat2(dirfd, name, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
	return -1, unix.EPERM
}

// walkDir resolves one component at a time. Each step opens a name that holds no slash
// and is not "..", with O_NOFOLLOW, in the directory that the step before has opened: it
// cannot leave the root.
func (r *Root) walkDir(name string, flags int) (int, error) {
	at := place{fd: r.Fd()}
	for rest, more := name, true; more; {
		at.base, rest, more = strings.Cut(rest, "/")
		step := unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
		if !more {
			step = flags
		}
		fd, err := openat(at.fd, at.base, step|unix.O_NOFOLLOW, 0)
		if err == unix.ENOTDIR {
			err = linkOrNotDir(at.fd, at.base)
		}
		at.close()
		if err != nil {
			return -1, err
		}
		at = place{fd: fd, own: true}
	}
	return at.fd, nil
}

// linkOrNotDir distinguishes the two meanings of ENOTDIR: with O_DIRECTORY and
// O_NOFOLLOW the kernel also returns it for a symbolic link.
func linkOrNotDir(dirfd int, base string) error {
	var st unix.Stat_t
	if err := fstatat(dirfd, base, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return unix.ELOOP
	}
	return unix.ENOTDIR
}

func openat(dirfd int, name string, flags int, perm uint32) (fd int, err error) {
	err = retry(func() error {
		fd, err = unix.Openat(dirfd, name, flags, perm)
		return err
	})
	return fd, err
}

func fstatat(dirfd int, base string, st *unix.Stat_t) error {
	return retry(func() error { return unix.Fstatat(dirfd, base, st, unix.AT_SYMLINK_NOFOLLOW) })
}
