package durable

import (
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestModeOf(t *testing.T) {
	for m, want := range map[uint32]fs.FileMode{
		unix.S_IFREG | 0o644:  0o644,
		unix.S_IFREG | 0o6755: 0o755 | fs.ModeSetuid | fs.ModeSetgid,
		unix.S_IFDIR | 0o1777: 0o777 | fs.ModeDir | fs.ModeSticky,
		unix.S_IFLNK | 0o777:  0o777 | fs.ModeSymlink,
		unix.S_IFIFO:          fs.ModeNamedPipe,
		unix.S_IFSOCK:         fs.ModeSocket,
		unix.S_IFCHR:          fs.ModeDevice | fs.ModeCharDevice,
		unix.S_IFBLK:          fs.ModeDevice,
		0o600:/* no type: no filesystem says this */ 0o600 | fs.ModeIrregular,
	} {
		if got := modeOf(m); got != want {
			t.Errorf("%#o is %v, want %v", m, got, want)
		}
	}
}

func TestErrorsSayWhatWasFound(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		fs.ModeDir:                        "not a regular file but a directory",
		fs.ModeNamedPipe:                  "not a regular file but a FIFO",
		fs.ModeSocket:                     "not a regular file but a socket",
		fs.ModeDevice | fs.ModeCharDevice: "not a regular file but a device",
		fs.ModeSymlink:                    "a component of the path is a symbolic link",
	} {
		err := pathError("open", "/x", NotRegularError(mode))
		if got := err.Error(); got != "open /x: "+want {
			t.Errorf("%v: %s", mode, got)
		}
	}
	if err := pathError("open", "/x", unix.ENXIO); !errors.Is(err, ErrNotRegular) || !errors.Is(err, syscall.ENXIO) {
		t.Error(err)
	}
	if err := hostError("/x", unix.ELOOP); !errors.Is(err, unix.ELOOP) || !strings.Contains(err.Error(), "/x") {
		t.Error(err)
	}
	root := &Root{path: "/"}
	if got := root.full("a"); got != "/a" {
		t.Error(got)
	}
}

// TestRegularFD tests the second check, after a name was replaced meanwhile.
func TestRegularFD(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	var st unix.Stat_t
	if err := regularFD(int(r.Fd()), &st); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
	if err := regularFD(-1, &st); !errors.Is(err, unix.EBADF) {
		t.Error(err)
	}
}

func TestShortWriteIsAnError(t *testing.T) {
	if n, err := short(1, 2, nil); n != 1 || err != io.ErrShortWrite {
		t.Error(n, err)
	}
	if _, err := short(2, 2, nil); err != nil {
		t.Error(err)
	}
	if err := retry(interrupted(3)); err != nil {
		t.Error(err)
	}
}

// interrupted is a system call that a signal interrupts n times.
func interrupted(n int) func() error {
	return func() error {
		if n--; n >= 0 {
			return unix.EINTR
		}
		return nil
	}
}

// TestSpaceOf: a filesystem that counts nothing has no limit; a full one has no space.
func TestSpaceOf(t *testing.T) {
	const none = math.MaxUint64
	for _, test := range []struct {
		sf        unix.Statfs_t
		superuser bool
		want      Space
	}{
		{unix.Statfs_t{Blocks: 10, Bfree: 4, Bavail: 3, Files: 9, Ffree: 2}, false, Space{5120, 3 * 512, 2}},
		{unix.Statfs_t{Blocks: 10, Bfree: 4, Bavail: 3, Files: 9, Ffree: 2}, true, Space{5120, 4 * 512, 2}},
		{unix.Statfs_t{Blocks: 10, Bfree: 4, Files: 9}, false, Space{TotalBytes: 5120}},
		{unix.Statfs_t{Blocks: 10, Bavail: 3}, false, Space{5120, 3 * 512, none}}, // btrfs
		{unix.Statfs_t{}, false, Space{none, none, none}},                         // ramfs
	} {
		if got := spaceOf(test.sf, 512, test.superuser); got != test.want {
			t.Errorf("%+v: %+v, want %+v", test.sf, got, test.want)
		}
	}
}
