package stateroot

import (
	"bytes"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// extFamily is the name where ext2, ext3 and ext4, which share a magic
// number, cannot be told apart.
const extFamily = "ext2/ext3/ext4"

// Limits of what is read from /proc. A host with thousands of mounts has a
// mountinfo of some hundred KiB.
const (
	maxFdinfo    = 4 << 10
	maxMountinfo = 8 << 20
)

// filesystemName refines the name that statfs gives. Names that statfs knows
// are believed, except for the ext family; mountinfo is asked for the others,
// where a magic number is all that statfs has or one magic number stands for
// many filesystems (fuse).
func filesystemName(statfs string, mountType func() string) string {
	switch {
	case statfs == "ext4":
		switch t := mountType(); t {
		case "ext2", "ext3", "ext4":
			return t
		}
		return extFamily
	case statfs == "fuse", statfs == "overlayfs", strings.HasPrefix(statfs, "0x"):
		if t := mountType(); t != "" {
			return t
		}
	}
	return statfs
}

type linuxProbe struct{}

func (linuxProbe) Mode(r *durable.Root) (fs.FileMode, error) {
	info, err := r.Lstat(".")
	return info.Mode, err
}

// Access asks with the effective ids, without trying a write: a check leaves
// the directory's times alone.
func (linuxProbe) Access(r *durable.Root) error {
	return unix.Faccessat(r.Fd(), ".", unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS)
}

func (linuxProbe) Statfs(r *durable.Root) (durable.Filesystem, error) { return r.Statfs() }

func (linuxProbe) RootDevice() (uint64, error) { return durable.HostDevice("/") }

func (linuxProbe) MountType(r *durable.Root) string {
	fdinfo, err := durable.ReadHostFile("/proc/self/fdinfo/"+strconv.Itoa(r.Fd()), maxFdinfo)
	if err != nil {
		return ""
	}
	info, err := durable.ReadHostFile("/proc/self/mountinfo", maxMountinfo)
	if err != nil {
		return ""
	}
	return mountType(info, mountID(fdinfo))
}

// mountID is the line "mnt_id: N" of /proc/self/fdinfo/FD, "" without one.
func mountID(fdinfo []byte) string {
	for line := range bytes.Lines(fdinfo) {
		if rest, ok := bytes.CutPrefix(line, []byte("mnt_id:")); ok {
			return string(bytes.TrimSpace(rest))
		}
	}
	return ""
}

// mountType finds the filesystem type of the mount with that id in the text of
// /proc/self/mountinfo, "" when it is not there. Of a line
//
//	36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw
//
// the first field is the id, and the type follows the field "-", before which
// there are any number of optional fields.
func mountType(mountinfo []byte, id string) string {
	if id == "" {
		return ""
	}
	for line := range bytes.Lines(mountinfo) {
		rest, ok := bytes.CutPrefix(line, []byte(id+" "))
		if !ok {
			continue
		}
		_, after, ok := bytes.Cut(rest, []byte(" - "))
		if !ok {
			return ""
		}
		fields := bytes.Fields(after)
		if len(fields) == 0 {
			return ""
		}
		return string(fields[0])
	}
	return ""
}
