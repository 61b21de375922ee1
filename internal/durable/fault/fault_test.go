package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// disk replaces the system.
type disk struct {
	space  unix.Statfs_t
	noDisk bool
	attrs  map[string]uint64
	at     mount
	self   process
}

func (d disk) statfs(string) (unix.Statfs_t, bool) { return d.space, !d.noDisk }
func (d disk) attributes(path string) uint64       { return d.attrs[path] }
func (d disk) mount(string) (mount, bool)          { return d.at, !d.noDisk }
func (d disk) process() process                    { return d.self }

// space returns a filesystem of that kind with this many MiB available and unused, and
// this many free inodes of 1,000.
func space(kind int64, available, unused, inodes uint64) disk {
	d := disk{space: unix.Statfs_t{Bsize: 4096, Frsize: 4096, Blocks: 1 << 20, Bavail: available << 8, Bfree: unused << 8, Files: 1000, Ffree: inodes}}
	d.space.Type = kind
	if kind == unix.BTRFS_SUPER_MAGIC {
		d.space.Files, d.space.Ffree = 0, 0
	}
	return d
}

func path(op string, errno error) error {
	return &fs.PathError{Op: op, Path: "/persist/edge/bootstrap/x", Err: errno}
}

// TestExplain: each cause has its own message, and its own next step.
func TestExplain(t *testing.T) {
	const (
		ext4, btrfs = unix.EXT4_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC
		file, dir   = "/persist/edge/bootstrap/x", "/persist/edge/bootstrap"
	)
	root := process{root: true, override: true}
	for _, tt := range []struct {
		name        string
		err         error
		d           disk
		cause, next string // substrings; cause "" means no explanation
	}{
		{"full", path("write", unix.ENOSPC), space(ext4, 0, 0, 7), "no free blocks", "free space on the filesystem of /persist"},
		{"reserved blocks only", path("create", unix.ENOSPC), space(ext4, 0, 50, 7), "no free blocks", "df"},
		{"too much for what is free", path("preallocate", unix.ENOSPC), space(ext4, 500, 500, 7), "no free blocks for it: 524288000 bytes are free", "free space"},
		{"no inodes", path("create", unix.ENOSPC), space(ext4, 500, 500, 0), "no free inodes, although 524288000 bytes are free", "df -i"},
		{"neither", path("mkdir", unix.ENOSPC), space(ext4, 0, 0, 0), "no free blocks", "free space"},
		{"no metadata", path("create", unix.ENOSPC), space(ext4, 500, 500, 7), "no room for metadata", "project quota"},
		{"no metadata on btrfs", path("create", unix.ENOSPC), space(btrfs, 0, 500, 0), "no room for metadata, although 524288000 bytes are free", "btrfs balance"},
		{"no metadata on btrfs, reported late", path("rename", unix.ENOSPC), space(btrfs, 500, 500, 0), "no room for metadata", "btrfs balance"},
		{"full btrfs", path("write", unix.ENOSPC), space(btrfs, 0, 0, 0), "no free blocks", "free space"},
		{"full, on a disk in memory", &fs.PathError{Op: "write", Path: "bin/app", Err: unix.ENOSPC}, disk{noDisk: true}, "no space", "free space"},
		{"full, and the disk is gone", path("write", unix.ENOSPC), disk{noDisk: true}, "no space", "free space"},
		{"quota", path("write", unix.EDQUOT), disk{}, "quota is used up", "raise the quota"},

		{"remounted", path("write", unix.EROFS), disk{at: mount{"/persist", true, true}}, "its filesystem is read-only", "fsck, then mount /persist"},
		{"sandbox", path("create", unix.EROFS), disk{at: mount{"/persist", true, false}}, "a sandbox", "ReadWritePaths="},
		{"a read-only view of our own", path("create", unix.EROFS), disk{at: mount{"/persist", false, false}}, "", ""},

		{"immutable", path("open", unix.EPERM), disk{attrs: map[string]uint64{file: unix.STATX_ATTR_IMMUTABLE}}, file + " is immutable", "chattr -i " + file},
		{"immutable directory", path("remove", unix.EPERM), disk{attrs: map[string]uint64{dir: unix.STATX_ATTR_IMMUTABLE}, self: process{filtered: true}}, dir + " is immutable", "chattr -i " + dir},
		{"append-only", path("remove", unix.EPERM), disk{attrs: map[string]uint64{dir: unix.STATX_ATTR_APPEND}}, dir + " is append-only", "chattr -a " + dir},
		{"immutable target of a rename", &os.LinkError{Op: "rename", Old: file, New: "/persist/edge/bin/app", Err: unix.EPERM},
			disk{attrs: map[string]uint64{"/persist/edge/bin/app": unix.STATX_ATTR_IMMUTABLE}}, "bin/app is immutable", "chattr -i"},
		{"not permitted, on a disk in memory", &fs.PathError{Op: "remove", Path: "bin/app", Err: unix.EPERM}, disk{}, "", ""},
		{"filtered call", path("chmod", unix.EPERM), disk{self: process{root: true, filtered: true}}, "sandbox filters system calls", "SystemCallFilter="},
		{"no capability", path("chmod", unix.EPERM), disk{self: root}, "a capability is missing", "CapabilityBoundingSet="},

		{"permissions", path("open", unix.EACCES), disk{}, "", ""},
		{"root without its capability", path("open", unix.EACCES), disk{self: process{root: true}}, "CAP_DAC_OVERRIDE", "CapabilityBoundingSet="},
		{"security module", path("open", unix.EACCES), disk{self: root}, "security module", "SELinux or AppArmor"},

		{"no locks", path("flock", unix.ENOLCK), disk{}, "does not support flock", "local filesystem"},
		{"no locks, said otherwise", path("flock", unix.EOPNOTSUPP), disk{}, "does not support flock", "local filesystem"},
		{"not supported elsewhere", path("preallocate", unix.EOPNOTSUPP), disk{}, "", ""},
		{"a directory that is not empty", path("remove", unix.ENOTEMPTY), disk{}, "a directory is in the way", "move it away"},
		{"a directory that was to be read", path("open", unix.EISDIR), disk{}, "", ""},
		{"mount point", path("remove", unix.EBUSY), disk{at: mount{point: file}}, file + " is a mount point", "umount " + file},
		{"busy", path("remove", unix.EBUSY), disk{at: mount{point: "/persist"}}, "", ""},
		{"a broken disk", path("read", unix.EIO), disk{}, "", ""},
		{"no error number", errors.New("x"), disk{}, "", ""},
		{"nothing", nil, disk{}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.err
			if err != nil {
				err = fmt.Errorf("publish: %w", errors.Join(errors.New("first"), err))
			}
			got := explain(err, tt.d)
			if tt.cause == "" {
				if got != err {
					t.Errorf("got %v", got)
				}
				return
			}
			var e *Error
			if !errors.As(got, &e) || !strings.Contains(e.Cause, tt.cause) || !strings.Contains(e.Next, tt.next) {
				t.Fatalf("got %v, next %v", got, e)
			}
			if len(e.Command) > 0 && e.Command[0] != "mv" && !strings.Contains(e.Next, e.Command[0]) {
				t.Errorf("next %q, command %q", e.Next, e.Command)
			}
			if !errors.Is(got, err) || got.Error() != err.Error()+": "+e.Cause {
				t.Errorf("got %v, which does not wrap %v", got, err)
			}
			if again := explain(fmt.Errorf("more: %w", got), disk{}); strings.Count(again.Error(), e.Cause) != 1 {
				t.Errorf("explained twice: %v", again)
			}
		})
	}
}

// TestExplainHere asks the running system.
func TestExplainHere(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sys := linux{}
	if st, ok := sys.statfs(filepath.Join(dir, "absent", "file")); !ok || st.Blocks == 0 {
		t.Errorf("statfs of what does not exist: %+v, %t", st, ok)
	}
	if _, ok := sys.statfs("relative"); ok {
		t.Error("a relative path was looked up")
	}
	at, ok := sys.mount(filepath.Join(dir, "absent"))
	if !ok || !strings.HasPrefix(dir, at.point) || at.readOnly || at.filesystemReadOnly {
		t.Errorf("mount: %+v, %t", at, ok)
	}
	if at, ok := sys.mount("/proc"); !ok || at.point != "/proc" {
		t.Errorf("mount of /proc: %+v, %t", at, ok)
	}
	if a := sys.attributes(dir); a&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0 || sys.attributes(dir+"/absent") != 0 {
		t.Errorf("attributes %#x", a)
	}
	if p := sys.process(); p.root != (os.Geteuid() == 0) {
		t.Errorf("process: %+v", p)
	}
}

// TestExplainAttributes sets the attributes that chattr sets.
func TestExplainAttributes(t *testing.T) {
	const immutable, appendOnly = 0x10, 0x20 // FS_IMMUTABLE_FL, FS_APPEND_FL
	dir := t.TempDir()
	for flag, want := range map[int]string{immutable: "is immutable", appendOnly: "is append-only"} {
		file := filepath.Join(dir, strings.ReplaceAll(want, " ", "-"))
		f, err := os.Create(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flag); err != nil {
			t.Skipf("attributes cannot be set here: %v", err)
		}
		err = Explain(os.Remove(file))
		if err := errors.Join(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0), f.Close()); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(err, syscall.EPERM) || !strings.Contains(err.Error(), file+" "+want) {
			t.Errorf("got %v", err)
		}
	}
}
