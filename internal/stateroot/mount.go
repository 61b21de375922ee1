package stateroot

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/mountinfo"
)

// linuxProbe asks the running system.
type linuxProbe struct{ root *durable.Root }

func (p linuxProbe) Lstat(name string) (durable.Info, error) { return p.root.Lstat(name) }

// Access asks with the effective ids, without trying a write: a check leaves
// the directory's times alone.
func (p linuxProbe) Access() error {
	err := unix.Faccessat(p.root.Fd(), ".", unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if err != nil {
		return &fs.PathError{Op: "access", Path: p.root.Path(), Err: err}
	}
	return nil
}

func (p linuxProbe) Mounts() (mounts, error) {
	slash, err := durable.OpenRootReadOnly("/")
	if err != nil {
		return mounts{}, err
	}
	defer func() { _ = slash.Close() }() // nothing was written
	var m mounts
	if m.all, err = mountinfo.Read(); err != nil {
		return mounts{}, err
	}
	if m.slash, err = locate(slash); err != nil {
		return mounts{}, err
	}
	m.root, err = locate(p.root)
	return m, err
}

func locate(root *durable.Root) (place, error) {
	id, path, err := mountinfo.Locate(root.Fd())
	return place{mount: id, path: path}, err
}

// mounts are the mounts, with the places of the state root and of /.
//
// The mount of a directory decides neither that it persists nor that it does
// not: the unit's ReadWritePaths= mounts a plain directory of / on itself.
// Nor does its device number: a btrfs subvolume has its own, and is removed
// with the subvolume that it is nested in. So filesystems are compared, and
// locations in them.
type mounts struct {
	all         []mountinfo.Mount
	root, slash place
}

// place is a directory: the id of its mount, and its path.
type place struct{ mount, path string }

// location is a directory in its filesystem, wherever that is mounted.
type location struct {
	device string // major:minor of the filesystem
	path   string // from the filesystem's own root
}

func (l location) String() string { return l.path + " of the filesystem " + l.device }

// holds reports whether m is l or below it.
func (l location) holds(m location) bool { return l.device == m.device && beneath(m.path, l.path) }

// beneath reports whether p is dir or below it.
func beneath(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// on returns the mount of a place.
func (m mounts) on(at place) (mountinfo.Mount, error) {
	i := slices.IndexFunc(m.all, func(mount mountinfo.Mount) bool { return mount.ID == at.mount })
	if i < 0 || !beneath(at.path, m.all[i].Point) {
		return mountinfo.Mount{}, fmt.Errorf("/proc/self/mountinfo does not hold the mount %s of %s", at.mount, at.path)
	}
	return m.all[i], nil
}

// locationOf returns the location of a path on a mount.
func locationOf(on mountinfo.Mount, p string) location {
	return location{device: on.Device, path: path.Join(on.Root, p[len(strings.TrimSuffix(on.Point, "/")):])}
}

// partOfSlash returns where the state root is in the filesystem of /, if it is a
// part of the tree that is mounted there and so is removed with it. Otherwise it is "".
func (m mounts) partOfSlash(root, slash mountinfo.Mount) string {
	at, image := locationOf(root, m.root.path), locationOf(slash, m.slash.path)
	if !image.holds(at) {
		return ""
	}
	return fmt.Sprintf("it is %s, and %s is mounted at /", at, image.path)
}

// gateOwns are the directories that must be on the state root's filesystem. The mission
// data under edge/ may be a mount.
var gateOwns = [...]string{Journal, Bootstrap, Identity, Runtime, Epoch}

// covered returns a mount over a directory of the gate's, or over something in
// one, that shows another place than without it: files
// written there are lost with the mount. A bind mount of a directory onto
// itself shows the same place.
func (m mounts) covered(root mountinfo.Mount) (found *mountinfo.Mount, name string) {
	for i, mount := range m.all {
		name, inside := strings.CutPrefix(mount.Point, strings.TrimSuffix(m.root.path, "/")+"/")
		top, _, _ := strings.Cut(name, "/")
		if !inside || !slices.Contains(gateOwns[:], top) || !m.visible(mount, root.ID) {
			continue
		}
		if (location{mount.Device, mount.Root}) != locationOf(root, mount.Point) {
			return &m.all[i], name
		}
	}
	return nil, ""
}

// visible reports whether a mount is reached from the one with the id base: it
// is mounted on that one, or on another that is, and no other mount covers
// any of these.
func (m mounts) visible(mount mountinfo.Mount, base string) bool {
	for below := ""; mount.ID != base; {
		for _, over := range m.all {
			if over.Parent == mount.ID && over.Point == mount.Point && over.ID != below {
				return false
			}
		}
		parent := slices.IndexFunc(m.all, func(p mountinfo.Mount) bool { return p.ID == mount.Parent && p.ID != mount.ID })
		if parent < 0 {
			return false
		}
		below, mount = mount.ID, m.all[parent]
	}
	return true
}
