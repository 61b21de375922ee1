package stateroot

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestCreateDirs(t *testing.T) {
	disk := memfs.New()
	if err := CreateDirs(disk); err != nil {
		t.Fatal(err)
	}
	after := disk.Crash(memfs.Crash{Keep: memfs.None})
	want := map[string]fs.FileMode{"edge": 0o750, "edge/segments": 0o750, "edge/relay": 0o750, "identity": 0o700,
		"runtime": 0o750, "runtime/binaries": 0o750, "epoch": 0o750, "bootstrap": 0o750}
	for name, mode := range want {
		info, err := after.Lstat(name)
		if err != nil || !info.IsDir() || info.Mode.Perm() != mode {
			t.Errorf("%s after a crash: %v, %v", name, info.Mode, err)
		}
	}
	top, err := after.ReadDir(".")
	if err != nil || len(top) != 5 {
		t.Errorf("got %v, %v", top, err)
	}
	before := disk.Dump()
	if err := CreateDirs(disk); err != nil {
		t.Errorf("again: %v", err)
	}
	if !maps.Equal(before, disk.Dump()) {
		t.Error("the second run changed something")
	}
}

func TestCreateDirsLeavesWhatIsThere(t *testing.T) {
	disk := memfs.New()
	if err := disk.Mkdir("identity", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := CreateDirs(disk); err != nil {
		t.Fatal(err)
	}
	if info, _ := disk.Lstat("identity"); info.Mode.Perm() != 0o755 {
		t.Errorf("mode is now %v", info.Mode)
	}
}

func TestCreateDirsRefuses(t *testing.T) {
	for name, plant := range map[string]func(*memfs.FS) error{
		"symlink": func(d *memfs.FS) error { return d.PlantSymlink("edge", "/elsewhere") },
		"fifo":    func(d *memfs.FS) error { return d.PlantFIFO("epoch") },
	} {
		disk := memfs.New()
		if err := plant(disk); err != nil {
			t.Fatal(err)
		}
		if err := CreateDirs(disk); !errors.Is(err, ErrLayout) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestCreateDirsErrors fails every operation in turn, and runs again after it.
func TestCreateDirsErrors(t *testing.T) {
	for _, errno := range []error{syscall.EIO, syscall.ENOSPC, syscall.EACCES} {
		for n := 0; ; n++ {
			disk := memfs.New()
			count := 0
			disk.SetHook(func(memfs.Op) error {
				if count++; count == n+1 {
					return errno
				}
				return nil
			})
			err := CreateDirs(disk)
			if count <= n {
				if err != nil || n < 10 {
					t.Fatalf("only %d operations, %v", n, err)
				}
				break
			}
			if !errors.Is(err, errno) {
				t.Fatalf("operation %d: got %v", n, err)
			}
			disk.SetHook(nil)
			if err := CreateDirs(disk.Crash(memfs.Crash{Keep: memfs.Random, Seed: uint64(n)})); err != nil {
				t.Fatalf("after operation %d: %v", n, err)
			}
		}
	}
}

// TestPathsLieInTheLayout: every path constant's directory is one of the
// layout's, or is made by its writer.
func TestPathsLieInTheLayout(t *testing.T) {
	made := map[string]bool{".": true}
	for _, d := range layout() {
		made[d.name] = true
	}
	for _, name := range []string{Journal, JournalHead, LastFailure, NodeConfig,
		ManifestVerifyKey, CheckpointKey, CheckpointPublic, DefaultBinary, Manifest, ManifestSignature,
		EdgeSegments, EdgeRelay, PredecessorRecords} {
		if !fs.ValidPath(name) || !made[path.Dir(name)] {
			t.Errorf("%s is not in the layout", name)
		}
	}
}
