// Package memfs is the strict in-memory twin of package durable's Linux
// implementation: a disk that can lose power, fill up and fail, for tests that crash a
// program at every operation.
//
// # What a crash may lose
//
// The disk keeps two states: the volatile one that every call sees, and the
// durable one, which changes only when something is flushed.
//
//   - Write, Truncate, Preallocate, Chmod and Chown change a file's volatile state.
//     File.Sync makes all of it durable, Datasync the bytes and the size.
//     Neither makes the file's name durable.
//   - Create, Mkdir, Rename and Remove change names. SyncDir makes all names of
//     that directory durable. It does not make the directory's own name
//     durable in its parent.
//   - A rename is one unit, also between two directories: it becomes durable as a
//     whole when either of them is flushed, and a crash keeps or loses it as a whole.
//   - A change of a name that builds on an earlier one (the same name; a directory
//     removed after its content was moved away; a file moved into a directory that is
//     itself new) is never kept without that one. So no file whose name was durable is
//     lost by moving it.
//   - A flush that fails (a hook's error on Sync or Datasync) leaves its bytes
//     unflushable: a later Sync that succeeds does not make them durable, as on Linux,
//     which marks them clean. The same bytes written again are flushed like any
//     others.
//
// [FS.Crash] returns the disk as the next boot finds it, [FS.Restart] as the
// next process of the same boot finds it. Symbolic links, FIFOs, devices and hard
// links can be planted, and are refused as package durable says.
package memfs

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

// ErrDead is returned by every operation after [FS.Kill].
var ErrDead = errors.New("the disk has lost power")

// maxComponent is NAME_MAX: the longest name of one component, in bytes.
const maxComponent = 255

// FS is a disk in memory. The zero value is not usable; see [New].
type FS struct {
	mu        sync.Mutex
	root      *inode
	lastIno   uint64
	pending   []*change // changes of names that are not durable yet, in order
	ops       int
	hook      func(Op) error
	dead      bool
	frozen    *FS // the disk from which Crash and Restart start after Ghost was called
	capacity  int64
	used      int64 // blocks
	maxInodes int64
	inodes    int64
}

var _ durable.FS = (*FS)(nil)

// New returns an empty disk without limits. Its root directory has mode 0755
// and is durable.
func New() *FS {
	m := &FS{capacity: -1, maxInodes: -1}
	m.root = m.newInode(fs.ModeDir | 0o755)
	m.root.parent = m.root
	return m
}

// now returns a clock that advances one millisecond with each operation: files get
// distinct times, and the same program always gets the same ones.
func (m *FS) now() time.Time {
	return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(m.ops) * time.Millisecond)
}

// parent resolves the directory of name's last component. As on Linux, every
// component on the way must be a directory and not a link to one.
func (m *FS) parent(name string) (dir *inode, base string, err error) {
	dir = m.root
	for {
		elem, rest, more := strings.Cut(name, "/")
		if !more {
			return dir, elem, nil
		}
		next, err := lookup(dir, elem)
		if err != nil {
			return nil, "", err
		}
		switch {
		case next.mode&fs.ModeSymlink != 0:
			return nil, "", durable.NotRegularError(next.mode)
		case !next.mode.IsDir():
			return nil, "", syscall.ENOTDIR
		}
		dir, name = next, rest
	}
}

func lookup(dir *inode, base string) (*inode, error) {
	if base == "." {
		return dir, nil
	}
	if len(base) > maxComponent {
		return nil, syscall.ENAMETOOLONG
	}
	if n := dir.entries[base]; n != nil {
		return n, nil
	}
	return nil, syscall.ENOENT
}

// find resolves a whole name; the last component may be anything.
func (m *FS) find(name string) (n *inode, base string, err error) {
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, "", err
	}
	n, err = lookup(dir, base)
	return n, base, err
}

// vacant resolves a name that must not exist yet.
func (m *FS) vacant(name string) (dir *inode, base string, err error) {
	dir, base, err = m.parent(name)
	if err != nil {
		return nil, "", err
	}
	switch _, err := lookup(dir, base); {
	case err == nil:
		return nil, "", syscall.EEXIST
	case err != syscall.ENOENT:
		return nil, "", err
	}
	return dir, base, nil
}

// directory resolves a name that must be a directory.
func (m *FS) directory(name string) (*inode, error) {
	n, _, err := m.find(name)
	switch {
	case err != nil:
		return nil, err
	case n.mode&fs.ModeSymlink != 0:
		return nil, durable.NotRegularError(n.mode)
	case !n.mode.IsDir():
		return nil, syscall.ENOTDIR
	}
	return n, nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

func linkError(op, oldname, newname string, err error) error {
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: op, Old: oldname, New: newname, Err: err}
}
