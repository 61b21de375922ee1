package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// classError is an errno with its class, so that errors.Is is true for both.
type classError struct {
	class error
	errno syscall.Errno
	found string // what was found instead; "" if class is enough
}

func (e *classError) Error() string {
	if e.found == "" {
		return e.class.Error()
	}
	return e.class.Error() + " but " + e.found
}

func (e *classError) Unwrap() []error { return []error{e.class, e.errno} }

// classify returns an errno with its class. Every call here is made with O_NOFOLLOW
// or RESOLVE_NO_SYMLINKS, so ELOOP can only mean a symbolic link.
func classify(err error) error {
	errno, ok := err.(syscall.Errno)
	if !ok {
		return err
	}
	switch errno {
	case unix.ELOOP:
		return &classError{class: ErrSymlink, errno: errno}
	case unix.ENXIO: // open(2) of a socket, or of a device without a driver
		return &classError{class: ErrNotRegular, errno: errno, found: "a socket or a device"}
	}
	return errno
}

// NotRegularError returns the error for a file that is not regular: [ErrSymlink] for
// a symbolic link, [ErrNotRegular] for anything else. Every implementation of [FS]
// uses it.
func NotRegularError(mode fs.FileMode) error {
	switch mode.Type() {
	case fs.ModeSymlink:
		return &classError{class: ErrSymlink, errno: unix.ELOOP}
	case fs.ModeDir:
		return &classError{class: ErrNotRegular, errno: unix.EISDIR, found: "a directory"}
	case fs.ModeNamedPipe:
		return &classError{class: ErrNotRegular, errno: unix.ENXIO, found: "a FIFO"}
	case fs.ModeSocket:
		return &classError{class: ErrNotRegular, errno: unix.ENXIO, found: "a socket"}
	}
	return &classError{class: ErrNotRegular, errno: unix.ENXIO, found: "a device"}
}

// pathError wraps err for one path.
func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: classify(err)}
}

// linkError wraps err for a rename.
func linkError(op, oldpath, newpath string, err error) error {
	return &os.LinkError{Op: op, Old: oldpath, New: newpath, Err: classify(err)}
}

// tooLarge returns ErrTooLarge with the limit in bytes.
func tooLarge(limit int64) error {
	return fmt.Errorf("%w of %d bytes", ErrTooLarge, limit)
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isErrno reports whether err is, or wraps, errno.
func isErrno(err error, errno syscall.Errno) bool { return errors.Is(err, errno) }

// refused reports whether the filesystem, the kernel or a seccomp filter does
// not have the system call, as opposed to a call that was tried and failed.
func refused(err error) bool {
	for _, cannot := range []syscall.Errno{unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.ENOTTY, unix.EPERM, unix.EACCES} {
		if isErrno(err, cannot) {
			return true
		}
	}
	return false
}
