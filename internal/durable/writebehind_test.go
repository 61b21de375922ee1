package durable_test

import (
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// behind makes a file, calls WriteBehind, and returns its error.
func behind(t *testing.T, fsys durable.FS) error {
	t.Helper()
	f, err := fsys.Create("f", 0o600)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer func() { _ = f.Close() }()
	if _, err := f.Write(make([]byte, 100<<10)); err != nil {
		t.Error(err)
	}
	return durable.WriteBehind(f, 4096, 64<<10)
}

func TestWriteBehind(t *testing.T) {
	root, err := durable.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	for name, fsys := range map[string]durable.FS{"linux": root, "memory": memfs.New()} {
		if err := behind(t, fsys); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := root.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if err := durable.WriteBehind(f, 0, 1); err == nil {
		t.Error("of a closed file")
	}
}

// TestWriteBehindRefused: a kernel without it is no error; an error of the disk is one.
func TestWriteBehindRefused(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{unix.ENOSYS: nil, unix.EPERM: nil, unix.EIO: unix.EIO, unix.ENOSPC: unix.ENOSPC} {
		dir := t.TempDir()
		under(t, []denied{{nr: unix.SYS_SYNC_FILE_RANGE, errno: errno}}, func(t *testing.T) {
			root, err := durable.OpenRoot(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = root.Close() }()
			if err := behind(t, root); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%v: %v", errno, err)
			}
		})
	}
}
