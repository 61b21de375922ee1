package durable

import (
	"io/fs"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Root is a directory of the host and the [FS] beneath it.
//
// Every name is resolved again from the root's own descriptor: nothing about a path is
// kept from one call to the next. An operation first resolves the parent directory
// (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or one component at a time if
// the kernel or a seccomp filter refuses openat2), then acts on the last component
// relative to that descriptor, without following it. A component that is renamed or
// replaced by a symbolic link meanwhile is refused, or acted on as it was; the link is
// never followed.
//
// A Root is safe for concurrent use. Close must be the last call.
type Root struct {
	fd       atomic.Int32 // -1 once closed; after that the kernel returns EBADF
	path     string
	readOnly bool
	// walk is set once openat2 was refused and the walk was not. Both have the same
	// results: this only saves a system call per operation.
	walk atomic.Bool
}

var _ FS = (*Root)(nil)

// OpenRoot opens dir, which must be a directory and not a symbolic link
// ([ErrSymlink]), as the root of an [FS]. Links in the components before the
// last are followed.
func OpenRoot(dir string) (*Root, error) { return openRoot(dir, false) }

// OpenRootReadOnly opens dir as [OpenRoot] does, for reading a seized disk: every method
// that would change anything returns syscall.EROFS, and reading does not change access
// times if the kernel permits that (O_NOATIME).
func OpenRootReadOnly(dir string) (*Root, error) { return openRoot(dir, true) }

func openRoot(dir string, readOnly bool) (*Root, error) {
	// A trailing slash would make the kernel follow a link in the last component.
	dir = filepath.Clean(dir)
	flags := unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := openat(unix.AT_FDCWD, dir, flags, 0)
	if err == unix.ENOTDIR {
		err = linkOrNotDir(unix.AT_FDCWD, dir)
	}
	if err != nil {
		return nil, pathError("open", dir, err)
	}
	r := &Root{path: dir, readOnly: readOnly}
	r.fd.Store(int32(fd))
	return r, nil
}

// Close releases the root and the lock of [Root.TryLock]. Files that were opened below it
// stay open.
func (r *Root) Close() error {
	fd := r.fd.Swap(-1)
	if fd < 0 {
		return &fs.PathError{Op: "close", Path: r.path, Err: fs.ErrClosed}
	}
	if err := unix.Close(int(fd)); err != nil {
		return pathError("close", r.path, err)
	}
	return nil
}

// Fd returns the root directory's descriptor, -1 once closed. The Root still owns it.
func (r *Root) Fd() int { return int(r.fd.Load()) }

// Path returns the directory passed to OpenRoot, cleaned.
func (r *Root) Path() string { return r.path }

// full returns name as the host sees it, for messages only. A name that is refused is
// returned unchanged.
func (r *Root) full(name string) string {
	switch {
	case name == ".":
		return r.path
	case r.path == "/":
		return "/" + name
	}
	return r.path + "/" + name
}

// fail wraps err for name. On the root's own descriptor EBADF can only mean that the root
// was closed.
func (r *Root) fail(op, name string, err error) error {
	if err == unix.EBADF {
		err = fs.ErrClosed
	}
	return pathError(op, r.full(name), err)
}

// refuse returns the error of every mutation of a read-only root.
func (r *Root) refuse(op, name string) error { return r.fail(op, name, unix.EROFS) }
