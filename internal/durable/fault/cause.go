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

func (r refused) readOnly(sys system) Error {
	path, ok := r.place()
	if !ok {
		return Error{}
	}
	at, _ := sys.mount(path)
	switch {
	case at.filesystemReadOnly:
		return Error{Cause: "its filesystem is read-only",
			Next:    "look for the reason in the kernel log, which remounts a filesystem after an error; run fsck, then mount " + at.point + " read-write",
			Command: []string{"mount", "-o", "remount,rw", at.point}}
	case at.readOnly:
		return Error{Cause: "its filesystem is writable, but is mounted read-only here: a sandbox, or a bind mount",
			Next:    "name it in ReadWritePaths= of the unit, or mount " + at.point + " read-write",
			Command: []string{"mount", "-o", "remount,bind,rw", at.point}}
	}
	return Error{}
}

func (r refused) notPermitted(sys system) Error {
	if _, ok := r.place(); !ok {
		return Error{}
	}
	for _, path := range r.paths {
		if !filepath.IsAbs(path) {
			continue
		}
		for _, p := range []string{path, filepath.Dir(path)} {
			switch attributes := sys.attributes(p); {
			case attributes&unix.STATX_ATTR_IMMUTABLE != 0:
				return attribute(p, "immutable", "-i")
			case attributes&unix.STATX_ATTR_APPEND != 0:
				return attribute(p, "append-only", "-a")
			}
		}
	}
	if sys.process().filtered {
		return Error{Cause: "no attribute forbids it, but a sandbox filters system calls", Next: "allow it in SystemCallFilter= and RestrictSUIDSGID= of the unit"}
	}
	return Error{Cause: "no attribute forbids it: a capability is missing, or the filesystem cannot do it",
		Next: "run it as root with the capabilities that the unit has (CapabilityBoundingSet=)"}
}

func attribute(path, name, flag string) Error {
	return Error{Cause: path + " is " + name, Next: "find out who made it so, then chattr " + flag + " " + path, Command: []string{"chattr", flag, path}}
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

func (r refused) busy(sys system) Error {
	for _, path := range r.paths {
		if at, ok := sys.mount(path); ok && at.point == path {
			return Error{Cause: path + " is a mount point", Next: "umount " + path, Command: []string{"umount", path}}
		}
	}
	return Error{}
}
