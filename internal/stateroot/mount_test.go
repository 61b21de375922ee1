package stateroot

import (
	"os"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
)

const mountinfo = `22 27 0:21 / /proc rw,nosuid - proc proc rw
27 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
31 27 8:17 / /persist rw,noatime shared:7 master:2 propagate_from:1 - ext3 /dev/sdb1 rw
310 27 0:45 / /persist/a\040-\040b rw - fuse.sshfs host:/dir rw
32 27 0:46 /sub /mnt rw -
33 27 0:46 /sub /mnt rw - 
34 27 0:47 / /x rw -ext4 nothing rw
`

func TestMountType(t *testing.T) {
	for id, want := range map[string]string{"27": "ext4", "31": "ext3", "310": "fuse.sshfs", "3": "", "32": "",
		"33": "", "34": "", "99": "", "": ""} {
		if got := mountType([]byte(mountinfo), id); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

func TestMountID(t *testing.T) {
	for in, want := range map[string]string{
		"pos:\t0\nflags:\t0200000\nmnt_id:\t31\nino:\t2\n": "31",
		"mnt_id: 7": "7",
		"":          "",
		"pos: 0\n":  "",
	} {
		if got := mountID([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// TestMountTypeHere compares what /proc says of a directory with /proc/filesystems.
func TestMountTypeHere(t *testing.T) {
	root, err := durable.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		t.Skip("no /proc")
	}
	got := linuxProbe{}.MountType(root)
	if base, _, _ := strings.Cut(got, "."); got == "" || !strings.Contains(string(known), "\t"+base) {
		t.Errorf("got %q, which is not in /proc/filesystems", got)
	}
}

func FuzzMountType(f *testing.F) {
	f.Add([]byte(mountinfo), "31")
	f.Add([]byte("31 - "), "31")
	f.Fuzz(func(t *testing.T, info []byte, id string) {
		if got := mountType(info, id); strings.ContainsAny(got, " \n") {
			t.Fatalf("got %q", got)
		}
		_ = mountID(info)
	})
}
