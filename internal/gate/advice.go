package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// adviceFor says what to do about an error whose cause the kernel names, "" for
// any other. The cause counts more than the operation that met it: "check the
// disk" sends people the wrong way if a file was made immutable.
func adviceFor(err error) string {
	at := hostPath(err)
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return noRoom(at)
	case errors.Is(err, syscall.EDQUOT):
		return fmt.Sprintf("a quota is used up at %s: raise it, or remove files that count against it", at)
	case errors.Is(err, syscall.EROFS):
		return readOnly(at)
	case errors.Is(err, syscall.EPERM):
		return notPermitted(at)
	}
	return ""
}

// hostPath is where err met the kernel, as a path of the host; "the state root"
// if it names none.
func hostPath(err error) string {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path) && filepath.IsAbs(path.Path):
		return path.Path
	case errors.As(err, &link) && filepath.IsAbs(link.New):
		return link.New
	}
	return "the state root"
}

// nearest is path or the nearest folder above it that exists.
func nearest(path string) string {
	for filepath.IsAbs(path) && path != "/" {
		if _, err := os.Lstat(path); err == nil {
			break
		}
		path = filepath.Dir(path)
	}
	return path
}

// noRoom distinguishes what a filesystem can run out of.
func noRoom(at string) string {
	there := nearest(at)
	var st unix.Statfs_t
	if err := unix.Statfs(there, &st); err != nil {
		return fmt.Sprintf("free space at %s; if `df` shows some, look at `df -i`", at)
	}
	return ranOut(there, st, os.Geteuid() == 0)
}

func ranOut(there string, st unix.Statfs_t, isRoot bool) string {
	free := st.Bavail
	if isRoot { // who may use the reserved blocks too
		free = st.Bfree
	}
	const mib = 1 << 20
	left := free * uint64(st.Bsize) / mib
	switch {
	case st.Files > 0 && st.Ffree == 0:
		return fmt.Sprintf("no inode is free on the filesystem of %s: remove files there (`df -i`)", there)
	case free == 0:
		return fmt.Sprintf("no block is free on the filesystem of %s: free space there (`df`)", there)
	case st.Type == unix.BTRFS_SUPER_MAGIC:
		return fmt.Sprintf("%d MiB are free on the filesystem of %s: if the file is smaller, its metadata space is used up (`btrfs filesystem usage`, `btrfs balance`)", left, there)
	}
	return fmt.Sprintf("only %d MiB are free on the filesystem of %s, which was not enough: free space there (`df`)", left, there)
}

// readOnly distinguishes a filesystem that is read-only from a mount of it that
// is: the unit's sandbox makes such mounts.
func readOnly(at string) string {
	there := nearest(at)
	if mount, super := mountOptions(there); mount == "ro" && super == "rw" {
		return fmt.Sprintf("only this mount of the filesystem is read-only at %s: list the folder in ReadWritePaths= of the unit, or remount it", there)
	}
	return fmt.Sprintf("the filesystem of %s is read-only: look in the kernel log for the error that made it so, run fsck, mount it read-write", there)
}

// mountOptions are ro or rw for the mount that path is on and for its
// filesystem; "" if they cannot be known.
func mountOptions(path string) (mount, super string) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &st)
	if err != nil || st.Mask&unix.STATX_MNT_ID == 0 { // Linux before 5.8
		return "", ""
	}
	const limit = 8 << 20 // bytes
	info, err := durable.ReadHostFile("/proc/self/mountinfo", limit)
	if err != nil {
		return "", ""
	}
	for line := range strings.Lines(string(info)) {
		before, after, ok := strings.Cut(line, " - ")
		fields, about := strings.Fields(before), strings.Fields(after)
		if ok && len(fields) >= 6 && len(about) >= 3 && fields[0] == strconv.FormatUint(st.Mnt_id, 10) {
			mount, _, _ = strings.Cut(fields[5], ",")
			super, _, _ = strings.Cut(about[2], ",")
		}
	}
	return mount, super
}

// notPermitted distinguishes an attribute of the file, or of its folder, from a
// sandbox.
func notPermitted(at string) string {
	for _, path := range []string{at, filepath.Dir(at)} {
		var st unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &st); err != nil {
			continue
		}
		if st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0 {
			return fmt.Sprintf("%s is immutable: `chattr -i %s`", path, path)
		}
		if st.Attributes&unix.STATX_ATTR_APPEND != 0 {
			return fmt.Sprintf("%s is append-only: `chattr -a %s`", path, path)
		}
	}
	return fmt.Sprintf("the kernel refuses this at %s, whoever owns it: compare the unit's sandbox with the shipped one (`systemctl cat edged-precheck`), and look in the audit log", at)
}
