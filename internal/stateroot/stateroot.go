// Package stateroot judges the directory that holds a node's persistent
// state, lays it out and locks it.
//
// Its checks keep an ephemeral directory from passing for the persistent
// partition: a partition that is not mounted leaves an empty directory behind,
// which would look like a first run.
package stateroot

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// EnvSkipMountCheck is the environment variable that, set to exactly "1",
// skips the checks of filesystem and device.
const EnvSkipMountCheck = "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK"

// What became of the checks of filesystem and device.
const (
	MountCheckEnforced = "enforced"
	MountCheckSkipped  = "skipped"
)

// Options of a check.
type Options struct {
	// SkipMountCheck skips the checks of filesystem and device; for tests.
	SkipMountCheck bool
	// ExtraFilesystems are allowed beside the built-in ones, by their names
	// in /proc/filesystems.
	ExtraFilesystems []string
	// ReadOnly opens the root for readers: nothing can be changed through it.
	// Whether it is writable is judged all the same.
	ReadOnly bool
}

// SkipMountCheck reports whether the environment asks for it: "1" and nothing
// else does. A nil getenv means no environment.
func SkipMountCheck(getenv func(string) string) bool {
	return getenv != nil && getenv(EnvSkipMountCheck) == "1"
}

// Facts are what the checks found, for the boot's event.
type Facts struct {
	Path       string // cleaned
	Filesystem string // ext4, xfs, …
	MountCheck string // enforced or skipped
	Device     uint64 // st_dev of the directory
	FreeBytes  uint64
}

// Check judges the directory at path. The error is an *Error.
func Check(path string, opts Options) (*Facts, error) {
	root, facts, err := Open(path, opts)
	if err != nil {
		return nil, err
	}
	_ = root.Close() // nothing was written through it
	return facts, nil
}

// Open judges the directory at path and returns it opened, so that what was
// judged is what is used. The error is an *Error.
func Open(path string, opts Options) (*durable.Root, *Facts, error) {
	if err := checkPath(path); err != nil {
		return nil, nil, err
	}
	path = filepath.Clean(path)
	open := durable.OpenRoot
	if opts.ReadOnly {
		open = durable.OpenRootReadOnly
	}
	root, err := open(path)
	if err != nil {
		return nil, nil, openError(path, err)
	}
	facts, err := judge(root, path, opts, linuxProbe{})
	if err != nil {
		_ = root.Close()
		return nil, nil, err
	}
	return root, facts, nil
}

func checkPath(path string) error {
	switch {
	case path == "":
		return &Error{Path: path, Kind: ErrNotAbsolute, Detail: "it is empty",
			Next: "set state_root.root in the config, or EDGE_STATE_ROOT"}
	case strings.ContainsRune(path, 0):
		return &Error{Path: path, Kind: ErrNotAbsolute, Detail: "it holds a zero byte",
			Next: "correct state_root.root in the config, or EDGE_STATE_ROOT"}
	case !filepath.IsAbs(path):
		return &Error{Path: path, Kind: ErrNotAbsolute,
			Next: "give state_root.root or EDGE_STATE_ROOT as a path that begins with /"}
	}
	return nil
}

func openError(path string, err error) error {
	e := &Error{Path: path, Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Next = ErrNotExist, "mount the persistent partition (RequiresMountsFor= in the unit), "+
			"or create the directory on it"
	case errors.Is(err, durable.ErrSymlink):
		e.Kind, e.Next = ErrSymlink, "name the directory itself, not a link to it"
	case errors.Is(err, syscall.ENOTDIR):
		e.Kind, e.Next = ErrNotDirectory, "put a directory in its place, or correct state_root.root"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Next = ErrNotWritable, "give the user that runs the gate access to it"
	default:
		e.Kind, e.Next = ErrUnusable, "check the disk and its mount"
	}
	return e
}

// probe is what the checks ask of the system; tests answer in its place.
type probe interface {
	Mode(*durable.Root) (fs.FileMode, error)
	Access(*durable.Root) error
	Statfs(*durable.Root) (durable.Filesystem, error)
	// MountType is the filesystem's name in mountinfo, "" where it cannot be known.
	MountType(*durable.Root) string
	RootDevice() (uint64, error)
}

func judge(root *durable.Root, path string, opts Options, p probe) (*Facts, error) {
	fail := func(kind error, detail, next string, err error) (*Facts, error) {
		return nil, &Error{Path: path, Kind: kind, Detail: detail, Next: next, Err: err}
	}
	if err := p.Access(root); err != nil {
		if errors.Is(err, syscall.EROFS) {
			return fail(ErrNotWritable, "its filesystem is mounted read-only",
				"run fsck if the kernel remounted it after an error, then mount it read-write", err)
		}
		return fail(ErrNotWritable, "", "give the user that runs the gate write access to it", err)
	}
	mode, err := p.Mode(root)
	if err != nil {
		return fail(ErrUnusable, "", "check the disk and its mount", err)
	}
	if mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 {
		return fail(ErrWorldWritable, fmt.Sprintf("its mode is %04o", mode.Perm()),
			"anybody could replace what is in it: chmod o-w "+path, nil)
	}
	fsinfo, err := p.Statfs(root)
	if err != nil {
		return fail(ErrUnusable, "", "check the disk and its mount", err)
	}
	facts := &Facts{
		Path:       path,
		Filesystem: filesystemName(fsinfo.Name, func() string { return p.MountType(root) }),
		MountCheck: MountCheckEnforced,
		Device:     fsinfo.Device,
		FreeBytes:  fsinfo.Free,
	}
	if opts.SkipMountCheck {
		facts.MountCheck = MountCheckSkipped
		return facts, nil
	}
	if !allowed(facts.Filesystem, opts.ExtraFilesystems) {
		return fail(ErrFilesystem, "it is on "+facts.Filesystem,
			"mount the persistent partition there (RequiresMountsFor= in the unit); "+
				"if this filesystem is meant, name it in gate.extra_filesystems", nil)
	}
	device, err := p.RootDevice()
	if err != nil {
		return fail(ErrUnusable, "the device of / cannot be told", "check the root filesystem", err)
	}
	if device == fsinfo.Device {
		return fail(ErrRootDevice, fmt.Sprintf("both are on device %d:%d", unix.Major(device), unix.Minor(device)),
			"mount the persistent partition there (RequiresMountsFor= in the unit)", nil)
	}
	return facts, nil
}

// allowed is the allowlist. The name of ext2, ext3 and ext4 together is given
// where mountinfo cannot tell them apart.
func allowed(name string, extra []string) bool {
	switch name {
	case "ext2", "ext3", "ext4", extFamily, "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "ubifs":
		return true
	}
	return slices.Contains(extra, name)
}
