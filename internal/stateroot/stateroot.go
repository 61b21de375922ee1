// Package stateroot judges the directory that holds a node's persistent
// state, lays it out and locks it.
//
// Its checks refuse an ephemeral directory in place of the persistent
// partition: a partition that is not mounted leaves an empty directory,
// which would look like a first run.
package stateroot

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/internal/durable/mountinfo"
	"github.com/autonomyops/edged/internal/errs"
)

// EnvSkipMountCheck is the environment variable that, set to exactly "1",
// skips the checks of filesystem and device.
const EnvSkipMountCheck = "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK"

// The values of Facts.MountCheck.
const (
	MountCheckEnforced = "enforced"
	MountCheckSkipped  = "skipped"
)

// Options of a check.
type Options struct {
	// SkipMountCheck skips the checks of filesystem and mounts; for tests.
	SkipMountCheck bool
	// Anywhere accepts a state root on any filesystem, including that of /: a
	// seized disk may be mounted anywhere, and a copy may be anywhere.
	Anywhere bool
	// ExtraFilesystems are allowed beside the built-in ones, by their names
	// in /proc/filesystems.
	ExtraFilesystems []string
	// ReadOnly opens the root for readers: nothing can be changed through it.
	// The check whether it is writable is still made.
	ReadOnly bool
}

// SkipMountCheck reports whether the environment requests it: only "1"
// does. A nil getenv means no environment.
func SkipMountCheck(getenv func(string) string) bool {
	return getenv != nil && getenv(EnvSkipMountCheck) == "1"
}

// Facts are what the checks found, for the boot's event.
type Facts struct {
	Path       string // cleaned
	Filesystem string // ext4, xfs, …
	MountCheck string // enforced or skipped
}

// Check checks the directory at path. The error is an *errs.Error.
func Check(path string, opts Options) (*Facts, error) {
	root, facts, err := Open(path, opts)
	if err != nil {
		return nil, err
	}
	_ = root.Close() // nothing was written through it
	return facts, nil
}

// Open checks the directory at path and returns it opened, so that the checked
// directory is the one that is used. The error is an *errs.Error.
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
	facts, err := judge(path, opts, linuxProbe{root})
	if err != nil {
		_ = root.Close()
		return nil, nil, err
	}
	return root, facts, nil
}

func checkPath(path string) error {
	switch {
	case path == "":
		return &errs.Error{Check: check, Path: path, Kind: ErrNotAbsolute, Detail: "it is empty",
			Next: "set state_root.root in the config, or EDGE_STATE_ROOT"}
	case strings.ContainsRune(path, 0):
		return &errs.Error{Check: check, Path: path, Kind: ErrNotAbsolute, Detail: "it holds a zero byte",
			Next: "correct state_root.root in the config, or EDGE_STATE_ROOT"}
	case !filepath.IsAbs(path):
		return &errs.Error{Check: check, Path: path, Kind: ErrNotAbsolute,
			Next: "give state_root.root or EDGE_STATE_ROOT as a path that begins with /"}
	}
	return nil
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refused(ErrNotExist, path, err, mountThere(path)+", or create the directory on it", "mount", resolve(path))
	case errors.Is(err, durable.ErrSymlink):
		return refused(ErrSymlink, path, err, "name the directory itself, not a link to it: "+resolve(path))
	case errors.Is(err, syscall.ENOTDIR):
		return refused(ErrNotDirectory, path, err, "move it away and put a directory in its place, or correct state_root.root", "mv", path, path+".aside")
	case errors.Is(err, fs.ErrPermission):
		return refused(ErrNotWritable, path, err, "give the user that runs the gate access to it")
	}
	return refused(ErrUnusable, path, err, "check the disk and its mount")
}

// refused is what the system refused, with its cause where that is known.
func refused(kind error, path string, err error, next string, command ...string) error {
	e := &errs.Error{Check: check, Path: path, Kind: kind, Err: fault.Explain(err), Next: next, Command: command}
	var explained *fault.Error
	if errors.As(e.Err, &explained) {
		e.Next, e.Command = explained.Next, explained.Command
	}
	return e
}

// mountThere returns the advice for a partition that is not mounted. A path that
// leads over a link is resolved in it: a unit that has the link in
// RequiresMountsFor= waits for no mount.
func mountThere(path string) string {
	if real := resolve(path); real != path {
		return fmt.Sprintf("%s is %s: mount the persistent partition there, and name that path in RequiresMountsFor= of the unit", path, real)
	}
	return "mount the persistent partition there (RequiresMountsFor= in the unit)"
}

// resolve follows the links in a path, even if their targets do not exist: they may lead
// to a mount that is not there yet.
func resolve(path string) string {
	for range 40 { // as many as the kernel follows
		next, followed := followFirst(path)
		if !followed {
			break
		}
		path = next
	}
	return path
}

// followFirst replaces the first link in a path by what it names.
func followFirst(path string) (next string, followed bool) {
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		target, err := os.Readlink(path[:end])
		if err != nil {
			continue
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path[:end]), target)
		}
		return filepath.Join(target, path[end:]), true
	}
	return path, false
}

// probe answers the checks' questions about the system; tests replace it.
type probe interface {
	Access() error
	Lstat(name string) (durable.Info, error)
	Mounts() (mounts, error)
}

func judge(path string, opts Options, p probe) (*Facts, error) {
	if err := p.Access(); err != nil {
		return nil, refused(ErrNotWritable, path, err, "give the user that runs the gate write access to it")
	}
	root, err := p.Lstat(".")
	if err != nil {
		return nil, &errs.Error{Check: check, Path: path, Kind: ErrUnusable, Err: err, Next: "check the disk and its mount"}
	}
	if forAll(root) && root.Mode&fs.ModeSticky == 0 {
		return nil, &errs.Error{Check: check, Path: path, Kind: ErrWorldWritable, Detail: fmt.Sprintf("its mode is %04o", root.Mode.Perm()),
			Next: "anybody could replace what is in it: chmod o-w " + path, Command: []string{"chmod", "o-w", path}}
	}
	facts, err := judgeMounts(path, opts, p)
	if err == nil {
		err = judgeFolders(path, root, p)
	}
	if err != nil {
		return nil, err
	}
	return facts, nil
}

// judgeMounts decides whether the directory is persistent, with everything that the gate
// keeps in it.
func judgeMounts(path string, opts Options, p probe) (*Facts, error) {
	m, err := p.Mounts()
	var root, slash mountinfo.Mount
	if err == nil {
		root, err = m.on(m.root)
	}
	if err == nil && !opts.Anywhere {
		slash, err = m.on(m.slash)
	}
	if opts.SkipMountCheck { // then /proc is not needed
		return &Facts{Path: path, Filesystem: cmp.Or(root.Type, "unknown"), MountCheck: MountCheckSkipped}, nil
	}
	if err != nil {
		return nil, &errs.Error{Check: check, Path: path, Kind: ErrUnusable, Detail: "what is mounted is not known", Err: err, Next: "mount /proc before the gate runs", Command: mountProc}
	}
	if !opts.Anywhere {
		if !allowed(root.Type, opts.ExtraFilesystems) {
			return nil, &errs.Error{Check: check, Path: path, Kind: ErrFilesystem, Detail: "it is on " + root.Type,
				Next: mountThere(path) + "; if this filesystem is meant, name it in gate.extra_filesystems", Command: []string{"mount", resolve(path)}}
		}
		if part := m.partOfSlash(root, slash); part != "" {
			return nil, &errs.Error{Check: check, Path: path, Kind: ErrPartOfRoot, Detail: part, Next: mountThere(path), Command: []string{"mount", resolve(path)}}
		}
	}
	if over, name := m.covered(root); over != nil {
		return nil, &errs.Error{Check: check, Path: path, Kind: ErrCovered, Detail: fmt.Sprintf("%s is %s (%s)", name, location{over.Device, over.Root}, over.Type),
			Next: "remove what mounts it, copy what is needed from it, and umount " + over.Point, Command: []string{"umount", over.Point}}
	}
	return &Facts{Path: path, Filesystem: root.Type, MountCheck: MountCheckEnforced}, nil
}

var mountProc = []string{"mount", "-t", "proc", "proc", "/proc"}

// judgeFolders refuses directories in which anybody could exchange what the
// gate trusts. The sticky bit does not prevent that: a name belongs to the user
// who makes it first. For the same reason, in a state root that is writable for
// everybody they must belong to root, to its owner or to the gate's user.
func judgeFolders(path string, root durable.Info, p probe) error {
	for _, name := range []string{Identity, Runtime, Binaries, Bootstrap, Journal, Epoch} {
		info, err := p.Lstat(name)
		switch {
		case err != nil || !info.IsDir():
			// The step that needs it reports what is wrong with it.
		case forAll(info):
			return &errs.Error{Check: check, Path: path, Kind: ErrFolderWritable, Detail: fmt.Sprintf("the mode of %s is %04o", name, info.Mode.Perm()),
				Next:    "find out whether something in it was replaced, then chmod o-w " + filepath.Join(path, name),
				Command: []string{"chmod", "o-w", filepath.Join(path, name)}}
		case forAll(root) && info.UID != 0 && info.UID != root.UID && int(info.UID) != os.Geteuid():
			return &errs.Error{Check: check, Path: path, Kind: ErrFolderForeign, Detail: fmt.Sprintf("%s belongs to user %d", name, info.UID),
				Next:    "find out whether something in it was replaced, then chmod o-w " + path + " and chown " + filepath.Join(path, name),
				Command: []string{"chmod", "o-w", path}}
		}
	}
	return nil
}

// forAll reports whether everybody may write.
func forAll(info durable.Info) bool { return info.Mode.Perm()&0o002 != 0 }

// allowed is the allowlist.
func allowed(name string, extra []string) bool {
	switch name {
	case "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "ubifs":
		return true
	}
	return slices.Contains(extra, name)
}
