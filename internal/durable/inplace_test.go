package durable_test

import (
	"errors"
	"io/fs"
	"math"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// inPlace prepares a new file for writing in place, uses it, and returns
// NoCOW's error.
func inPlace(t *testing.T, fsys durable.FS) error {
	t.Helper()
	f, err := fsys.Create("f", 0o600)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer func() { _ = f.Close() }()
	nocow := durable.NoCOW(f)
	durable.RandomAccess(f)
	if _, err := f.WriteAt([]byte("text"), 4096); err != nil {
		t.Error(err)
	}
	got := make([]byte, 4)
	if _, err := f.ReadAt(got, 4096); err != nil || string(got) != "text" {
		t.Errorf("%q, %v", got, err)
	}
	return nocow
}

func TestInPlace(t *testing.T) {
	root := openRoot(t, t.TempDir(), false)
	for name, fsys := range map[string]durable.FS{"linux": root, "memory": memfs.New()} {
		if err := inPlace(t, fsys); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := root.OpenWrite("f")
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if err := durable.NoCOW(f); !errors.Is(err, fs.ErrClosed) {
		t.Error("of a closed file:", err)
	}
	durable.RandomAccess(f) // a hint: nothing to report
}

// TestInPlaceRefused: if the kernel, the filesystem or a seccomp filter has neither flags
// nor hints, files work all the same; an error of the disk is returned.
func TestInPlaceRefused(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		unix.ENOSYS: nil, unix.EPERM: nil, unix.EACCES: nil, unix.ENOTTY: nil, unix.EOPNOTSUPP: nil, unix.EINVAL: nil,
		unix.EIO: unix.EIO, unix.ENOSPC: unix.ENOSPC, unix.EROFS: unix.EROFS,
	} {
		dir := t.TempDir()
		under(t, []denied{{nr: unix.SYS_IOCTL, errno: errno}, {nr: unix.SYS_FADVISE64, errno: errno}}, func(t *testing.T) {
			root, err := durable.OpenRoot(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = root.Close() }()
			if err := inPlace(t, root); !errors.Is(err, want) || want == nil && err != nil {
				t.Errorf("%v: %v", errno, err)
			}
		})
	}
}

// silent is an FS without a FreeSpace method.
type silent struct{ durable.FS }

func TestFreeSpace(t *testing.T) {
	dir := t.TempDir()
	for _, open := range []func(string) (*durable.Root, error){durable.OpenRoot, durable.OpenRootReadOnly} {
		root, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		space, err := durable.FreeSpace(root)
		if err != nil || space.FreeBytes == 0 || space.FreeInodes == 0 {
			t.Error(space, err)
		}
		var st unix.Statfs_t
		if err := unix.Statfs(dir, &st); err != nil || space.FreeBytes > st.Blocks*uint64(st.Frsize) && space.FreeBytes != math.MaxUint64 {
			t.Error("more is free than there is:", space, st, err)
		}
		if space, err := durable.FreeSpace(silent{root}); err != nil || space != (durable.Space{TotalBytes: math.MaxUint64, FreeBytes: math.MaxUint64, FreeInodes: math.MaxUint64}) {
			t.Error("an FS that cannot say:", space, err)
		}
		_ = root.Close()
		if _, err := durable.FreeSpace(root); !errors.Is(err, fs.ErrClosed) {
			t.Error("of a closed root:", err)
		}
	}
}
