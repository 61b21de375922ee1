package stateroot

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
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
// layout's, or is made by whoever writes it.
func TestPathsLieInTheLayout(t *testing.T) {
	made := map[string]bool{".": true}
	for _, d := range layout() {
		made[d.name] = true
	}
	for _, name := range []string{Journal, JournalHead, LastFailure, Ballast, NodeConfig,
		ManifestVerifyKey, CheckpointKey, CheckpointPublic, DefaultBinary, Manifest, ManifestSignature,
		EdgeSegments, EdgeRelay, PredecessorRecords} {
		if !fs.ValidPath(name) || !made[path.Dir(name)] {
			t.Errorf("%s is not in the layout", name)
		}
	}
}

func TestBallast(t *testing.T) {
	disk := memfs.New()
	if err := CreateDirs(disk); err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, false} {
		if made, err := EnsureBallast(disk); err != nil || made != want {
			t.Fatalf("run %d: made %v, %v", i, made, err)
		}
	}
	info, err := disk.Crash(memfs.Crash{Keep: memfs.None}).Lstat("bootstrap/ballast")
	if err != nil || info.Size != 8<<20 || info.Mode.Perm() != 0o600 {
		t.Fatalf("after a crash: %+v, %v", info, err)
	}
	for i, want := range []bool{true, false} {
		if released, err := ReleaseBallast(disk); err != nil || released != want {
			t.Fatalf("run %d: released %v, %v", i, released, err)
		}
	}
	if _, err := disk.Crash(memfs.Crash{Keep: memfs.None}).Lstat(Ballast); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ballast came back: %v", err)
	}
}

func TestBallastOnAFullDisk(t *testing.T) {
	disk := memfs.New()
	if err := CreateDirs(disk); err != nil {
		t.Fatal(err)
	}
	disk.SetCapacity(disk.Used() + 4<<20)
	if made, err := EnsureBallast(disk); made || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("made %v, %v", made, err)
	}
	if left, err := disk.ReadDir("bootstrap"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBallastIsMadeAgain(t *testing.T) {
	for name, spoil := range map[string]func(*memfs.FS) error{
		"short":     func(d *memfs.FS) error { return durable.WriteFile(d, Ballast, []byte("x"), 0o600) },
		"temporary": func(d *memfs.FS) error { return durable.WriteFile(d, Ballast+".tmp", []byte("x"), 0o600) },
		"symlink":   func(d *memfs.FS) error { return d.PlantSymlink(Ballast, "/etc/passwd") },
		"fifo":      func(d *memfs.FS) error { return d.PlantFIFO(Ballast) },
	} {
		disk := memfs.New()
		if err := errors.Join(CreateDirs(disk), spoil(disk)); err != nil {
			t.Fatal(err)
		}
		if made, err := EnsureBallast(disk); err != nil || !made {
			t.Errorf("%s: made %v, %v", name, made, err)
		}
		if info, err := disk.Lstat(Ballast); err != nil || !info.Mode.IsRegular() || info.Size != BallastBytes {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
	disk := memfs.New()
	if err := errors.Join(CreateDirs(disk), disk.Mkdir(Ballast, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureBallast(disk); !errors.Is(err, durable.ErrNotRegular) {
		t.Errorf("directory: %v", err)
	}
}

// TestBallastErrors fails every operation of both in turn: the ballast is
// whole or absent afterwards, and no temporary outlives the next run.
func TestBallastErrors(t *testing.T) {
	steps := []struct {
		name string
		run  func(durable.FS) error
	}{
		{"ensure", func(f durable.FS) error { _, err := EnsureBallast(f); return err }},
		{"release", func(f durable.FS) error { _, err := ReleaseBallast(f); return err }},
	}
	for _, crash := range []memfs.Keep{memfs.None, memfs.All, memfs.Random} {
		for _, step := range steps {
			for n := 0; ; n++ {
				disk := memfs.New()
				if err := CreateDirs(disk); err != nil {
					t.Fatal(err)
				}
				if step.name == "release" {
					if _, err := EnsureBallast(disk); err != nil {
						t.Fatal(err)
					}
				}
				count := 0
				disk.SetHook(func(memfs.Op) error {
					if count++; count == n+1 {
						return syscall.EIO
					}
					return nil
				})
				err := step.run(disk)
				if count <= n {
					break
				}
				at := fmt.Sprintf("%s, operation %d, keep %v", step.name, n, crash)
				if err == nil {
					t.Fatalf("%s: no error", at)
				}
				after := disk.Crash(memfs.Crash{Keep: crash, Seed: uint64(n)})
				if info, err := after.Lstat(Ballast); err == nil && info.Size != BallastBytes {
					t.Fatalf("%s: a ballast of %d bytes", at, info.Size)
				}
				if _, err := EnsureBallast(after); err != nil {
					t.Fatalf("%s: then %v", at, err)
				}
				left, _ := after.ReadDir(Bootstrap)
				names := []string{}
				for _, info := range left {
					names = append(names, info.Name)
				}
				if !slices.Equal(names, []string{"ballast"}) {
					t.Fatalf("%s: left %v", at, names)
				}
			}
		}
	}
}
