package mountinfo

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// text has a ~ where the kernel writes white space that it does not escape.
var text = strings.ReplaceAll(`22 27 0:21 / /proc rw,nosuid - proc proc rw
27 1 259:2 /@root / rw,relatime shared:1 - btrfs /dev/nvme0n1p2 rw,subvolid=256,subvol=/@root
31 27 8:17 / /persist ro,noatime shared:7 master:2 propagate_from:1 - ext3 /dev/sdb1 rw
32 31 8:17 /a\040-\040b\134 /persist/c\011d rw - ext3 /dev/sdb1 ro,errors=remount-ro
33 27 0:45 / /x~ rw - fuse.sshfs host:/dir rw
34 27 0:46 /sub /mnt rw -
35 27 0:47 / /y rw -ext4 nothing rw
36 27 0:48
`, "~", "\u00a0\r")

func TestParse(t *testing.T) {
	want := []Mount{
		{ID: "22", Parent: "27", Device: "0:21", Root: "/", Point: "/proc", Type: "proc"},
		{ID: "27", Parent: "1", Device: "259:2", Root: "/@root", Point: "/", Type: "btrfs"},
		{ID: "31", Parent: "27", Device: "8:17", Root: "/", Point: "/persist", Type: "ext3", ReadOnly: true},
		{ID: "32", Parent: "31", Device: "8:17", Root: `/a - b\`, Point: "/persist/c\td", Type: "ext3", FilesystemReadOnly: true},
		{ID: "33", Parent: "27", Device: "0:45", Root: "/", Point: "/x\u00a0\r", Type: "fuse.sshfs"},
	}
	if got := Parse([]byte(text)); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The options are as the kernel writes them: it has norecovery for an ext4 that
// was mounted with noload, and a list for a btrfs.
func TestLogSkipped(t *testing.T) {
	for line, want := range map[string]string{
		`41 26 7:0 / /e ro,relatime - ext4 /dev/loop0 ro,norecovery`:                                        "norecovery",
		`41 26 7:0 / /e ro,relatime - ext4 /dev/loop0 ro,noload,data=ordered`:                               "noload",
		`42 26 7:1 / /e ro,relatime - xfs /dev/loop1 ro,norecovery,attr2,inode64,noquota`:                   "norecovery",
		`43 26 0:50 / /e ro - btrfs /dev/loop2 ro,nologreplay,space_cache=v2,subvolid=5,subvol=/`:           "nologreplay",
		`43 26 0:50 / /e ro - btrfs /dev/loop2 ro,rescue=usebackuproot:nologreplay,space_cache=v2,subvol=/`: "rescue=usebackuproot:nologreplay",
		`43 26 0:50 / /e ro - btrfs /dev/loop2 ro,rescue=usebackuproot,subvol=/nologreplay`:                 "",
		`44 26 7:3 / /noload ro,relatime - ext4 /dev/noload ro,errors=remount-ro`:                           "",
		`45 26 7:4 / /e rw,relatime shared:1 - ext4 /dev/loop4 rw`:                                          "",
	} {
		if got := Parse([]byte(line + "\n")); len(got) != 1 || got[0].LogSkipped != want {
			t.Errorf("%s\ngot %+v, want %q", line, got, want)
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{"": "", `a\040b`: "a b", `\134`: `\`, `\`: `\`, `\04`: `\04`, `\999`: `\999`, `\777`: `\777`, `\040\012`: " \n"} {
		if got := unescape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
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

// TestHere: the mount that /proc names for a directory is among the mounts,
// and the directory is found by its resolved path.
func TestHere(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	id, path, err := Locate(int(f.Fd()))
	if err != nil || path != dir {
		t.Fatalf("%q, %v", path, err)
	}
	all, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(m Mount) bool { return m.ID == id })
	if i < 0 || !strings.HasPrefix(dir, all[i].Point) || all[i].Type == "" {
		t.Errorf("mount %s of %s: %d of %+v", id, dir, i, all)
	}
	if _, _, err := Locate(-1); err == nil {
		t.Error("a file that is not open was located")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(text))
	f.Add([]byte("31 - "))
	f.Add([]byte(`1 2 3 \ \04 ro - a b`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, m := range Parse(text) {
			if m.ID == "" || m.Point == "" || strings.ContainsAny(m.ID+m.Device, " \n") {
				t.Fatalf("%+v", m)
			}
		}
		_ = mountID(text)
	})
}
