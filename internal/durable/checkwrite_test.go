package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// TestCheckWrite: what would be refused is reported, and nothing is written.
func TestCheckWrite(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"d/f", "d/fixed", "d/log"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "d"), 0o755), os.WriteFile(filepath.Join(dir, name), nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	r := openRoot(t, dir, true)
	for _, name := range []string{".", "d", "d/f"} {
		if err := durable.CheckWrite(r, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"d/f", "d/new", "new", "a/b/c"} {
		if err := durable.CheckReplace(r, name, ""); err != nil {
			t.Errorf("replace %s: %v", name, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "f.tmp/notes"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := durable.CheckWriteFile(r, "f"); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("under a directory in the way: %v", err)
	}
	if err := durable.CheckWrite(r, "d/absent"); !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
	if err := durable.CheckWrite(r, "../x"); !errors.Is(err, durable.ErrName) {
		t.Error(err)
	}
	t.Run("attributes", func(t *testing.T) {
		const immutable, appendOnly = 0x10, 0x20 // FS_IMMUTABLE_FL, FS_APPEND_FL
		for name, flag := range map[string]int{"d/fixed": immutable, "d/log": appendOnly, "d": immutable} {
			attribute(t, filepath.Join(dir, name), flag)
			if err := durable.CheckWrite(r, name); !errors.Is(err, syscall.EPERM) {
				t.Errorf("%s: %v", name, err)
			}
			if err := durable.CheckReplace(r, name, ""); !errors.Is(err, syscall.EPERM) {
				t.Errorf("replace %s: %v", name, err)
			}
		}
		if err := durable.CheckWriteFile(r, "d/new"); !errors.Is(err, syscall.EPERM) {
			t.Errorf("a new file in an immutable directory: %v", err)
		}
	})
	t.Run("permissions", func(t *testing.T) {
		if os.Geteuid() == 0 {
			t.Skip("root may write everywhere")
		}
		if err := os.Chmod(filepath.Join(dir, "d/f"), 0o444); err != nil {
			t.Fatal(err)
		}
		if err := durable.CheckWrite(r, "d/f"); !errors.Is(err, syscall.EACCES) {
			t.Error(err)
		}
	})
}

// attribute sets one of chattr's for the rest of the test.
func attribute(t *testing.T, path string, flag int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flag); err != nil {
		_ = f.Close()
		t.Skip("attributes cannot be set: ", err)
	}
	t.Cleanup(func() {
		if err := errors.Join(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, 0), f.Close()); err != nil {
			t.Error(err)
		}
	})
}
