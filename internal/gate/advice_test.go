package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/stateroot"
)

// TestAdviceOnSpace: what ran out is named, and nothing else is.
func TestAdviceOnSpace(t *testing.T) {
	full := unix.Statfs_t{Type: unix.EXT4_SUPER_MAGIC, Bsize: 4096, Blocks: 1000, Bfree: 50, Bavail: 0, Files: 100, Ffree: 10}
	for _, tt := range []struct {
		name   string
		edit   func(*unix.Statfs_t)
		isRoot bool
		want   string
	}{
		{"no block for others", func(*unix.Statfs_t) {}, false, "no block is free"},
		{"reserved blocks for root", func(*unix.Statfs_t) {}, true, "only 0 MiB are free"},
		{"no block", func(st *unix.Statfs_t) { st.Bfree = 0 }, true, "no block is free"},
		{"no inode", func(st *unix.Statfs_t) { st.Bavail, st.Ffree = 40, 0 }, true, "no inode is free"},
		{"neither", func(st *unix.Statfs_t) { st.Bfree, st.Ffree = 0, 0 }, true, "no inode is free"},
		{"too little", func(st *unix.Statfs_t) { st.Bfree = 512 }, true, "only 2 MiB are free"},
		{"btrfs counts no inodes", func(st *unix.Statfs_t) { st.Type, st.Files, st.Ffree, st.Bfree = unix.BTRFS_SUPER_MAGIC, 0, 0, 25600 }, true, "100 MiB are free"},
		{"btrfs metadata", func(st *unix.Statfs_t) { st.Type, st.Files, st.Ffree, st.Bfree = unix.BTRFS_SUPER_MAGIC, 0, 0, 25600 }, true, "metadata space"},
	} {
		st := full
		tt.edit(&st)
		if got := ranOut("/persist", st, tt.isRoot); !strings.Contains(got, tt.want) || !strings.Contains(got, "/persist") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestAdviceFitsTheCause: each cause that the kernel names has its own advice,
// also if an error has some of its own.
func TestAdviceFitsTheCause(t *testing.T) {
	const generic = "check the disk"
	at := filepath.Join(t.TempDir(), "file")
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "free space",
		syscall.EDQUOT: "quota",
		syscall.EROFS:  "is read-only",
		syscall.EPERM:  "sandbox",
		syscall.EIO:    generic,
		syscall.EACCES: generic,
	} {
		for _, err := range []error{
			&fs.PathError{Op: "open", Path: at, Err: errno},
			&os.LinkError{Op: "rename", Old: "x", New: at, Err: errno},
			&stateroot.Error{Path: at, Kind: stateroot.ErrUnusable, Err: &fs.PathError{Op: "open", Path: at, Err: errno}, Next: generic},
		} {
			next := nextOf(fmt.Errorf("a step: %w", err), generic)
			if !strings.Contains(next, want) || want != generic && !strings.Contains(next, filepath.Dir(at)) {
				t.Errorf("%v: %q, want %q", err, next, want)
			}
		}
		f := Failure{Err: &stateroot.Error{Path: at, Kind: stateroot.ErrUnusable, Err: errno, Next: generic}, Next: "another advice"}
		if strings.Contains(f.reason(), generic) {
			t.Errorf("two advices: %q and %q", f.reason(), f.Next)
		}
		if next := nextOf(errno, generic); !strings.Contains(next, want) {
			t.Errorf("%v without a path: %q, want %q", errno, next, want)
		}
	}
}

// TestAdviceOnAttributes: a file or folder that was made immutable is reported
// as that, and not as a full or failing disk.
func TestAdviceOnAttributes(t *testing.T) {
	for attribute, want := range map[string]string{"i": "is immutable: `chattr -i ", "a": "is append-only: `chattr -a "} {
		t.Run(attribute, func(t *testing.T) {
			n := newNode(t)
			n.boot(ExitOK)
			n.remove("bootstrap/os_fingerprint.json")
			chattr := func(change string) error {
				return exec.Command("chattr", change, n.path("bootstrap")).Run()
			}
			if attribute == "a" { // names may be made in such a folder, and not replaced
				n.write("bootstrap/os_fingerprint.json", nil)
				n.deploy(emptyManifest)
			}
			if err := chattr("+" + attribute); err != nil {
				t.Skipf("chattr +%s: %v (needs root, and a filesystem that keeps attributes)", attribute, err)
			}
			t.Cleanup(func() { _ = chattr("-" + attribute) })
			n.boot(ExitStateRoot)
			n.logged("level=ERROR", want+n.path("bootstrap"))
		})
	}
}

// unlockable is a root whose filesystem refuses the lock.
type unlockable struct{ Root }

func (unlockable) Lock(context.Context) error {
	return fmt.Errorf("lock state root: %w", &fs.PathError{Op: "flock", Path: "/persist", Err: syscall.EOPNOTSUPP})
}

// TestLockRefused: a filesystem that knows no lock is not another gate.
func TestLockRefused(t *testing.T) {
	n := newNode(t)
	n.edit = func(h *Host) {
		open := h.OpenRoot
		h.OpenRoot = func(path string, opt stateroot.Options) (Root, error) {
			root, err := open(path, opt)
			return unlockable{root}, err
		}
	}
	if logs := n.boot(ExitStateRoot); strings.Contains(logs, "another gate\"") || strings.Contains(logs, "fuser") {
		t.Errorf("another gate is blamed:\n%s", logs)
	}
	n.logged("level=ERROR", "precheck: state root cannot be locked", "flock(2)")
}

// TestMountCheckKept: a value that does not skip the mount check is a WARN that
// says so, and the check is made.
func TestMountCheckKept(t *testing.T) {
	for _, value := range []string{"true", "yes", "0", "01", "1 "} {
		n := newNode(t)
		n.env[stateroot.EnvSkipMountCheck] = value
		checked := errors.New("checked")
		n.edit = func(h *Host) {
			h.OpenRoot = func(_ string, opt stateroot.Options) (Root, error) {
				if opt.SkipMountCheck {
					t.Errorf("%q skips the check", value)
				}
				return nil, checked
			}
		}
		logs := n.boot(ExitStateRoot)
		n.logged("level=WARN", "edge.state_root.mount_check_kept", stateroot.EnvSkipMountCheck, value)
		if strings.Count(logs, "level=WARN") != 1 {
			t.Errorf("%q: not one WARN:\n%s", value, logs)
		}
	}
	for _, value := range []string{"1", ""} {
		n := newNode(t)
		n.env[stateroot.EnvSkipMountCheck] = value
		if n.precheck(); strings.Contains(n.logs.String(), "mount_check_kept") {
			t.Errorf("%q: %s", value, n.logs.String())
		}
	}
}
