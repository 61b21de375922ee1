// Package fault finds the reason why the system refused an operation on a file, and
// the next step.
//
// An error number alone misleads. ENOSPC may mean a full disk, no free inodes, or no
// room for metadata; EPERM an attribute of the file, a sandbox, or a missing
// capability; EROFS a filesystem that the kernel has remounted, or a sandbox.
// [Explain] asks the system which it is.
package fault

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Error is an error of the system with its cause.
type Error struct {
	Err   error
	Cause string // what is wrong
	Next  string // what to do about it, as an instruction
	// Command does it, run by root, by its words; nil if no single command does.
	Command []string
}

func (e *Error) Error() string { return e.Err.Error() + ": " + e.Cause }

// Unwrap returns the error that is explained.
func (e *Error) Unwrap() error { return e.Err }

// Explain returns err as an [*Error] that wraps it, if it holds an error number
// whose cause can be found and that is not explained already; otherwise it returns
// err. The paths are those of the [*fs.PathError] or [*os.LinkError] in it. A
// relative path, as the in-memory disk has, is not explained.
//
// It asks the system at the time of the call: call it soon, where the error is
// reported.
func Explain(err error) error { return explain(err, linux{}) }

// system answers Explain's questions; tests replace it.
type system interface {
	// statfs describes the filesystem of a path, or of the nearest directory
	// above it that exists.
	statfs(path string) (st unix.Statfs_t, ok bool)
	// attributes returns the STATX_ATTR_* of a path, without following a link.
	attributes(path string) uint64
	// mount returns the mount of the same filesystem.
	mount(path string) (at mount, ok bool)
	// process returns the privileges of this process.
	process() process
}

type mount struct {
	point                        string
	readOnly, filesystemReadOnly bool
}

type process struct {
	root     bool // runs as uid 0
	override bool // has CAP_DAC_OVERRIDE
	filtered bool // has a system-call filter
}

// refused is an operation that the system refused.
type refused struct {
	op    string
	paths []string
	errno syscall.Errno
}

func explain(err error, sys system) error {
	r, ok := find(err)
	if !ok {
		return err
	}
	var found Error
	switch r.errno {
	case unix.ENOSPC:
		found.Cause, found.Next = r.noSpace(sys)
	case unix.EDQUOT:
		found.Cause, found.Next = "a disk quota is used up", "raise the quota of the file's user, group or project, or remove files that count towards it"
	case unix.EROFS:
		found = r.readOnly(sys)
	case unix.EPERM:
		found = r.notPermitted(sys)
	case unix.EACCES:
		found.Cause, found.Next = r.noAccess(sys)
	case unix.ENOTEMPTY, unix.EISDIR:
		if path, ok := r.place(); ok && (r.op == "remove" || r.op == "rename") {
			found = Error{Cause: "a directory is in the way", Next: "look at what is in " + path + " and move it away",
				Command: []string{"mv", path, path + ".aside"}}
		}
	case unix.EBUSY:
		found = r.busy(sys)
	case unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
		if r.op == "flock" {
			found.Cause, found.Next = "its filesystem does not support flock(2)", "put it on a local filesystem, or mount this one with locks"
		}
	}
	if found.Cause == "" {
		return err
	}
	found.Err = err
	return &found
}

// find returns the first error number with its operation and paths; ok is false if
// it is explained already.
func find(err error) (r refused, ok bool) {
	switch e := err.(type) {
	case *Error:
		return r, false
	case syscall.Errno:
		return refused{errno: e}, true
	case *fs.PathError:
		r, ok = find(e.Err)
		r.op, r.paths = e.Op, []string{e.Path}
		return r, ok
	case *os.LinkError:
		r, ok = find(e.Err)
		r.op, r.paths = e.Op, []string{e.Old, e.New}
		return r, ok
	case interface{ Unwrap() error }:
		return find(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if r, ok = find(err); ok {
				return r, ok
			}
		}
	}
	return r, false
}

// place returns an absolute path of the operation.
func (r refused) place() (path string, ok bool) {
	for _, p := range r.paths {
		if filepath.IsAbs(p) {
			return p, true
		}
	}
	return "", false
}

// makesName reports whether the operation needs space in a directory, and perhaps an
// inode.
func (r refused) makesName() bool {
	return r.op == "create" || r.op == "mkdir" || r.op == "rename" || r.op == "open"
}
