package fault

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// few is the number of free bytes below which a disk counts as full: filesystems
// refuse before the last block is used.
const few = 1 << 20

func (r refused) noSpace(sys system) (cause, next string) {
	path, ok := r.place()
	if !ok {
		return "no space is left", "free space on the filesystem"
	}
	st, ok := sys.statfs(path)
	if !ok {
		return "no space is left", "free space on the filesystem of " + path
	}
	unit := uint64(st.Frsize)
	if unit == 0 { // some FUSE servers
		unit = uint64(st.Bsize)
	}
	free, unused := st.Bavail*unit, st.Bfree*unit
	metadata := fmt.Sprintf("no room for metadata, although %d bytes are free", unused)
	switch {
	case st.Type == unix.BTRFS_SUPER_MAGIC && free < few && unused >= few:
		// btrfs reports nothing available once its chunks of metadata are full.
		return metadata, "remove files, or make room for metadata: btrfs balance start -dusage=50 on the filesystem of " + path
	case free < few, !r.makesName():
		return fmt.Sprintf("no free blocks for it: %d bytes are free", free), "free space on the filesystem of " + path + " (df)"
	case st.Files > 0 && st.Ffree == 0:
		return fmt.Sprintf("no free inodes, although %d bytes are free", free), "remove files from the filesystem of " + path + " (df -i)"
	case st.Type == unix.BTRFS_SUPER_MAGIC:
		return metadata, "remove files, or make room for metadata: btrfs balance start -dusage=50 on the filesystem of " + path
	}
	return metadata, "remove files from the filesystem of " + path + "; a project quota can also be the reason"
}

func (r refused) readOnly(sys system) (cause, next string) {
	path, ok := r.place()
	if !ok {
		return "", ""
	}
	at, _ := sys.mount(path)
	switch {
	case at.filesystemReadOnly:
		return "its filesystem is read-only", "look for the reason in the kernel log, which remounts a filesystem after an error; run fsck, then mount " + at.point + " read-write"
	case at.readOnly:
		return "its filesystem is writable, but is mounted read-only here: a sandbox, or a bind mount",
			"name it in ReadWritePaths= of the unit, or mount " + at.point + " read-write"
	}
	return "", ""
}

func (r refused) notPermitted(sys system) (cause, next string) {
	if _, ok := r.place(); !ok {
		return "", ""
	}
	for _, path := range r.paths {
		if !filepath.IsAbs(path) {
			continue
		}
		for _, p := range []string{path, filepath.Dir(path)} {
			switch attributes := sys.attributes(p); {
			case attributes&unix.STATX_ATTR_IMMUTABLE != 0:
				return p + " is immutable", "find out why, then run chattr -i " + p
			case attributes&unix.STATX_ATTR_APPEND != 0:
				return p + " is append-only", "find out why, then run chattr -a " + p
			}
		}
	}
	if sys.process().filtered {
		return "no attribute forbids it, but a sandbox filters system calls", "allow it in SystemCallFilter= and RestrictSUIDSGID= of the unit"
	}
	return "no attribute forbids it: a capability is missing, or the filesystem cannot do it",
		"run it as root with the capabilities that the unit has (CapabilityBoundingSet=)"
}

func (r refused) noAccess(sys system) (cause, next string) {
	switch p := sys.process(); {
	case !p.root:
		return "", "" // the file's permissions, as the error says
	case !p.override:
		return "a sandbox has taken CAP_DAC_OVERRIDE", "add it to CapabilityBoundingSet= of the unit, or let root own the path"
	}
	return "root is refused by a security module", "look for the denial of SELinux or AppArmor in the kernel log"
}

func (r refused) busy(sys system) (cause, next string) {
	for _, path := range r.paths {
		if at, ok := sys.mount(path); ok && at.point == path {
			return path + " is a mount point", "umount " + path
		}
	}
	return "", ""
}
