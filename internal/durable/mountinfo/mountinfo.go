// Package mountinfo reads /proc/self/mountinfo: the mounts that this process sees.
//
// A line is
//
//	36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
//	|  |  |    |     |     |          |          |    |         |
//	|  |  |    |     |     |          optional   type source    options of the filesystem
//	|  |  |    |     |     options of the mount
//	|  |  |    |     where it is mounted, from this process's root
//	|  |  |    the directory of the filesystem that is mounted there
//	|  |  device of the filesystem, one for all subvolumes of a btrfs
//	|  id of the mount that it is mounted on
//	id
//
// with space, tab, newline and backslash as \040, \011, \012 and \134.
package mountinfo

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
)

// Limits of what is read from /proc. A host with thousands of mounts has a
// mountinfo of some hundred KiB.
const (
	maxFdinfo    = 4 << 10
	maxMountinfo = 8 << 20
)

// Mount is one line.
type Mount struct {
	ID, Parent         string
	Device             string // major:minor
	Root               string // the directory of the filesystem that is mounted
	Point              string // where it is mounted, from this process's root
	Type               string // of the filesystem, as in /proc/filesystems; a FUSE subtype follows a dot
	ReadOnly           bool   // the mount is read-only
	FilesystemReadOnly bool   // the filesystem is read-only, for all its mounts
	LogSkipped         string // the option by which the filesystem's log was not replayed, "" if there is none
}

// Read returns the mounts that this process sees.
func Read() ([]Mount, error) {
	text, err := durable.ReadHostFile("/proc/self/mountinfo", maxMountinfo)
	if err != nil {
		return nil, fmt.Errorf("read mounts: %w", err)
	}
	return Parse(text), nil
}

// Parse reads the text of a mountinfo. It skips lines of another form.
func Parse(text []byte) []Mount {
	var all []Mount
	for line := range bytes.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " - ")
		// Only at spaces: paths may hold other unescaped white space.
		mount, fs := strings.Split(left, " "), strings.Split(right, " ")
		if !ok || len(mount) < 6 || len(fs) < 2 {
			continue
		}
		all = append(all, Mount{
			ID: mount[0], Parent: mount[1], Device: mount[2], Root: unescape(mount[3]), Point: unescape(mount[4]),
			Type: unescape(fs[0]), ReadOnly: readOnly(mount[5]), FilesystemReadOnly: readOnly(fs[len(fs)-1]),
			LogSkipped: logSkipped(fs[len(fs)-1]),
		})
	}
	return all
}

// readOnly reports whether a comma-separated list of options has "ro".
func readOnly(options string) bool {
	for option := range strings.SplitSeq(options, ",") {
		if option == "ro" {
			return true
		}
	}
	return false
}

// logSkipped returns the option of a comma-separated list by which a filesystem
// is mounted without the replay of its log: noload or norecovery of ext4,
// norecovery of xfs, nologreplay of btrfs. A newer kernel writes the last one
// in the list rescue=A:B. It returns "" if there is none.
func logSkipped(options string) string {
	for option := range strings.SplitSeq(options, ",") {
		for value := range strings.SplitSeq(strings.TrimPrefix(option, "rescue="), ":") {
			switch value {
			case "noload", "norecovery", "nologreplay":
				return option
			}
		}
	}
	return ""
}

// unescape replaces a backslash and three octal digits by the byte they stand for.
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		s = after
		if len(s) >= 3 {
			if c, err := strconv.ParseUint(s[:3], 8, 8); err == nil {
				b.WriteByte(byte(c))
				s = s[3:]
				continue
			}
		}
		b.WriteByte('\\')
	}
}

// Locate returns the id of the mount of an open file, and the path by which this
// process sees the file, without links.
func Locate(fd int) (id, path string, err error) {
	text, err := durable.ReadHostFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd), maxFdinfo)
	if err == nil {
		path, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	if err != nil {
		return "", "", fmt.Errorf("locate mount: %w", err)
	}
	if id = mountID(text); id == "" {
		return "", "", fmt.Errorf("locate mount: the fdinfo of %s names none", path)
	}
	return id, path, nil
}

// mountID returns N of the line "mnt_id: N" of a fdinfo, "" without one.
func mountID(fdinfo []byte) string {
	for line := range bytes.Lines(fdinfo) {
		if rest, ok := bytes.CutPrefix(line, []byte("mnt_id:")); ok {
			return string(bytes.TrimSpace(rest))
		}
	}
	return ""
}
