// Package durable is the only way from edged to the disk.
//
// The journal, the projections and the operations access the persistent partition
// only through an [FS], so that an in-memory twin (package memfs) can crash each of
// them at every operation.
//
// # What an FS promises
//
//   - Names are slash-separated, relative to the root and clean; "." is the
//     root itself. A name that escapes, is absolute or is not clean is
//     [ErrName] before the disk is touched.
//   - No symbolic link is followed in any component: [ErrSymlink].
//   - Open, OpenWrite and Create return regular files only, and never block on
//     anything else (a FIFO, a device): [ErrNotRegular].
//   - A file's bytes are durable after File.Sync (or Datasync) has returned; a name is
//     durable (created, renamed, removed) after SyncDir of its directory has.
//     Until then a crash may keep all, some or none of them.
//   - Rename is atomic, replaces a file, and replaces a directory only when
//     that directory is empty, as rename(2) does.
//   - Permissions are of 0777; set-id and sticky bits are refused (EINVAL). A
//     directory keeps the set-group-id bit that it inherits.
//   - After a Sync or Datasync that failed, its bytes may never reach the disk,
//     whatever a later one returns. Write them again, stop, or, if the filesystem
//     may continue to fail, write a new file.
//
// # Assumptions
//
// A flush that the kernel reports as done has reached the medium. Rename is atomic
// on the filesystem (it is on those that statfs names as ext4, xfs, btrfs, f2fs,
// zfs, bcachefs and ubifs). No other process writes what edged is writing;
// [Root.TryLock] ensures that among edged's own processes. The package protects
// from links and special files that others place below the root. It does not
// protect from a writer of the disk itself.
//
// Errors are [*fs.PathError] or [*os.LinkError] and answer errors.Is for
// fs.ErrNotExist, fs.ErrExist, syscall.ENOSPC, syscall.EIO and so on.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

var (
	// ErrName: the name is empty, absolute, not clean, or leaves the root.
	ErrName = errors.New("name is not a clean path beneath the root")
	// ErrSymlink: a component of the path is a symbolic link.
	ErrSymlink = errors.New("a component of the path is a symbolic link")
	// ErrNotRegular: the path is a directory, FIFO, socket or device rather than a
	// regular file.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge: the file is larger than the reader's limit.
	ErrTooLarge = errors.New("file is larger than the limit")
)

// FS is a directory tree on a disk that can lose power. See the package
// documentation for what every method promises.
type FS interface {
	// Open opens a regular file for reading.
	Open(name string) (File, error)
	// OpenWrite opens an existing regular file for reading and for writing
	// in place, without truncating it.
	OpenWrite(name string) (File, error)
	// Create makes a new regular file (O_EXCL) with exactly perm, whatever
	// the umask, open for reading and writing.
	Create(name string, perm fs.FileMode) (File, error)
	// Mkdir makes one directory with perm, whatever the umask. A default ACL of
	// its parent may remove bits of it.
	Mkdir(name string, perm fs.FileMode) error
	// Rename moves oldname to newname.
	Rename(oldname, newname string) error
	// Remove unlinks a file (or symbolic link, or FIFO) or removes an empty directory.
	Remove(name string) error
	// Lstat describes the last component itself. Components before it must not be
	// links.
	Lstat(name string) (Info, error)
	// ReadDir lists a directory in order of name, without "." and "..".
	ReadDir(name string) ([]Info, error)
	// SyncDir makes the directory's names durable.
	SyncDir(name string) error
}

// File is an open regular file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	// Truncate sets the size.
	Truncate(size int64) error
	// Preallocate reserves disk space for [off, off+length) and extends the
	// size to cover it (fallocate). If the filesystem cannot, it writes zeros.
	Preallocate(off, length int64) error
	// Chmod sets exactly perm.
	Chmod(perm fs.FileMode) error
	// Chown sets the owner. If the file already has it, no call is made that
	// only root may make.
	Chown(uid, gid uint32) error
	// Sync flushes data and metadata (fsync).
	Sync() error
	// Datasync flushes data and the metadata needed to read it (fdatasync).
	Datasync() error
	// Stat describes the open file.
	Stat() (Info, error)
}

// Info describes a file. Size is in bytes; Mode has type and permission bits.
type Info struct {
	Name    string // base name
	Size    int64
	Mode    fs.FileMode
	ModTime time.Time
	Nlink   uint64
	UID     uint32
	GID     uint32
	Dev     uint64
	Ino     uint64
}

// IsDir reports whether the file is a directory.
func (i Info) IsDir() bool { return i.Mode.IsDir() }
