package operation

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/manifest"
)

func TestPlan(t *testing.T) {
	m := newDisk(t)
	put(t, m, "bin/there", "x", 0o600)
	before, ops := m.Dump(), 0
	m.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			ops++
		}
		return nil
	})
	got, err := Plan(m, testRoot, manifestOf(
		binaryOp("app", "bin/app"),
		manifest.Operation{Op: manifest.InstallConfig, Src: "config.yaml", Dst: "/persist/edge/new/dir/c.yaml", Mode: "0600", BLAKE3: sumOf("a: b\n")},
		binaryOp("/persist/edge/runtime/binaries/app", "./bin/there"),
		manifest.Operation{Op: manifest.InstallConfig, Src: "./config.yaml", Dst: "c"},
	))
	want := []Planned{
		{0, manifest.CopyBinary, "runtime/binaries/app", "bin/app", "", 0o755},
		{1, manifest.InstallConfig, "bootstrap/config.yaml", "new/dir/c.yaml", sumOf("a: b\n"), 0o600},
		{2, manifest.CopyBinary, "runtime/binaries/app", "bin/there", "", 0o755},
		{3, manifest.InstallConfig, "bootstrap/config.yaml", "c", "", 0o640},
	}
	if err != nil || len(got) != len(want) {
		t.Fatal(got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%+v, want %+v", got[i], want[i])
		}
	}
	if ops != 0 || !maps.Equal(before, m.Dump()) {
		t.Error("planning touched the disk")
	}
	if got, err := Plan(m, testRoot, manifestOf()); len(got) != 0 || err != nil {
		t.Error(got, err)
	}
}

// spoiling puts something in the place of a file, on either disk.
type spoiling struct {
	name  string
	mem   func(m *memfs.FS) error
	linux func(dir string) error
	op    manifest.Operation
	field string
	is    error
}

func spoilings() []spoiling {
	app := binaryOp("app", "bin/app")
	deep := binaryOp("d/app", "bin/app")
	pinned := app
	pinned.BLAKE3 = sumOf("new bytes")
	remove := func(m *memfs.FS, names ...string) (err error) {
		for _, n := range names {
			err = errors.Join(err, durable.RemoveAll(m, n))
		}
		return err
	}
	at := func(dir, name string) string { return filepath.Join(dir, name) }
	swap := func(name string, plant func(at string) error) func(string) error {
		return func(dir string) error { return errors.Join(os.RemoveAll(at(dir, name)), plant(at(dir, name))) }
	}
	mem := func(name string, plant func(m *memfs.FS, name string) error) func(*memfs.FS) error {
		return func(m *memfs.FS) error { return errors.Join(remove(m, name), plant(m, name)) }
	}
	link := func(target string) (func(*memfs.FS, string) error, func(string) error) {
		return func(m *memfs.FS, name string) error { return m.PlantSymlink(name, target) },
			func(at string) error { return os.Symlink(target, at) }
	}
	toApp, toAppLinux := link("config.yaml")
	toDir, toDirLinux := link("../../bootstrap")
	toNowhere, toNowhereLinux := link("/nonexistent")
	mkdir := func(m *memfs.FS, name string) error { return m.Mkdir(name, 0o755) }
	mkdirLinux := func(at string) error { return os.Mkdir(at, 0o755) }
	none := func(*memfs.FS, string) error { return nil }
	noneLinux := func(string) error { return nil }
	fifoLinux := func(at string) error { return unix.Mkfifo(at, 0o666) }
	file := func(m *memfs.FS, name string) error { return durable.WriteFile(m, name, nil, 0o644) }
	fileLinux := func(at string) error { return os.WriteFile(at, nil, 0o644) }

	src, bin, dst := "runtime/binaries/app", "bin", "bin/app"
	return []spoiling{
		{"src missing", mem(src, none), swap(src, noneLinux), app, "src", ErrSource},
		{"src folder missing", mem("runtime", none), swap("runtime", noneLinux), app, "src", ErrSource},
		{"src link", mem(src, toApp), swap(src, toAppLinux), app, "src", durable.ErrSymlink},
		{"src dangling", mem(src, toNowhere), swap(src, toNowhereLinux), app, "src", durable.ErrSymlink},
		{"src component link", mem("runtime/binaries/d", toDir), swap("runtime/binaries/d", toDirLinux), deep, "src", durable.ErrSymlink},
		{"src component file", mem("runtime/binaries/d", file), swap("runtime/binaries/d", fileLinux), deep, "src", syscall.ENOTDIR},
		{"src folder link", mem("runtime/binaries", toDir), swap("runtime/binaries", toDirLinux), app, "src", durable.ErrSymlink},
		{"runtime link", mem("runtime", toDir), swap("runtime", toDirLinux), app, "src", durable.ErrSymlink},
		{"src fifo", mem(src, (*memfs.FS).PlantFIFO), swap(src, fifoLinux), app, "src", durable.ErrNotRegular},
		{"src device", mem(src, (*memfs.FS).PlantDevice), nil, app, "src", durable.ErrNotRegular},
		{"src directory", mem(src, mkdir), swap(src, mkdirLinux), app, "src", durable.ErrNotRegular},
		{"src with two links", func(m *memfs.FS) error { return m.PlantHardlink(src, "other") },
			func(dir string) error { return os.Link(at(dir, src), at(dir, "other")) }, app, "src", ErrSource},
		{"src with two links, pinned", func(m *memfs.FS) error { return m.PlantHardlink(src, "other") },
			func(dir string) error { return os.Link(at(dir, src), at(dir, "other")) }, pinned, "", nil},

		{"dst directory", mem(dst, mkdir), swap(dst, mkdirLinux), app, "dst", ErrDest},
		{"dst link", mem(dst, toNowhere), swap(dst, toNowhereLinux), app, "dst", durable.ErrSymlink},
		{"dst fifo", mem(dst, (*memfs.FS).PlantFIFO), swap(dst, fifoLinux), app, "dst", durable.ErrNotRegular},
		{"dst device", mem(dst, (*memfs.FS).PlantDevice), nil, app, "dst", durable.ErrNotRegular},
		{"dst folder link", mem(bin, toDir), swap(bin, toDirLinux), app, "dst", durable.ErrSymlink},
		{"dst folder file", mem(bin, file), swap(bin, fileLinux), app, "dst", ErrDest},
		{"dst folder fifo", mem(bin, (*memfs.FS).PlantFIFO), swap(bin, fifoLinux), app, "dst", ErrDest},
		{"dst component link", mem(bin, toDir), swap(bin, toDirLinux), binaryOp("app", "bin/a/b/c"), "dst", durable.ErrSymlink},
		{"dst component missing", mem(bin, none), swap(bin, noneLinux), binaryOp("app", "bin/a/b/c"), "", nil},
	}
}

func TestPlanRefusesWhatIsInTheWay(t *testing.T) {
	for _, tt := range spoilings() {
		judge := func(t *testing.T, fsys durable.FS, root string) {
			_, err := Plan(fsys, root, manifestOf(manifest.Operation{Op: manifest.InstallConfig, Src: "config.yaml", Dst: "first"}, tt.op))
			if tt.is == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Index != 1 || e.Field != tt.field || e.Op != tt.op.Op || !errors.Is(err, tt.is) ||
				e.Message() != "precheck: operation rejected" || e.NextStep() == "" || !strings.HasPrefix(err.Error(), "operation 1 (copy_binary): "+tt.field+" ") {
				t.Errorf("%v, want %s to be %v", err, tt.field, tt.is)
			}
			if text(fsys, "first") != "absent" {
				t.Error("something was applied")
			}
		}
		t.Run(tt.name+"/memfs", func(t *testing.T) {
			m := newDisk(t)
			check(t, tt.mem(m))
			judge(t, m, testRoot)
		})
		if tt.linux == nil {
			continue
		}
		t.Run(tt.name+"/linux", func(t *testing.T) {
			root, dir := newLinux(t)
			check(t, tt.linux(dir))
			judge(t, root, dir)
		})
	}
}

func TestPlanSourceUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	root, dir := newLinux(t)
	check(t, os.Chmod(filepath.Join(dir, "bootstrap/config.yaml"), 0))
	_, err := Plan(root, dir, manifestOf(manifest.Operation{Op: manifest.InstallConfig, Src: "config.yaml", Dst: "c"}))
	if !errors.Is(err, ErrSource) || !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}

// TestPlanJudgesBinaryPath: binary_path may be missing; otherwise it must be hashable.
func TestPlanJudgesBinaryPath(t *testing.T) {
	m := newDisk(t)
	check(t, m.PlantSymlink("runtime/binaries/link", "app"), m.PlantFIFO("runtime/binaries/fifo"), m.PlantSymlink("runtime/binaries/dir", ".."))
	for binary, is := range map[string]error{
		"": nil, "app": nil, "missing/x": nil, testRoot + "/runtime/binaries/app": nil,
		"link": durable.ErrSymlink, "fifo": durable.ErrNotRegular, "dir/x": durable.ErrSymlink, "../manifest.json": ErrPath, "app/x": syscall.ENOTDIR,
	} {
		_, err := Plan(m, testRoot, &manifest.Manifest{BinaryPath: binary})
		var e *Error
		if is == nil && err != nil || is != nil && (!errors.Is(err, is) || !errors.As(err, &e) || e.Index != -1 || e.Field != "binary_path") {
			t.Errorf("%q: %v, want %v", binary, err, is)
		}
	}
}

// TestPlanDiskErrors: an error of the disk is never mistaken for an absent file.
func TestPlanDiskErrors(t *testing.T) {
	for n := 1; ; n++ {
		m := newDisk(t)
		start := m.Ops()
		m.SetHook(func(op memfs.Op) error {
			if op.N == start+n {
				return syscall.EIO
			}
			return nil
		})
		_, err := Plan(m, testRoot, manifestOf(binaryOp("app", "bin/app")))
		if m.Ops() < start+n {
			if n < 6 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d: %v", n, err)
		}
	}
}

// TestErrors: each error says what failed and what to do next.
func TestErrors(t *testing.T) {
	next := map[string]bool{}
	for _, tt := range []struct {
		err     Error
		message string
	}{
		{Error{Index: 2, Op: "copy_binary", Field: "dst", Path: "x", Err: ErrPath}, "precheck: operation rejected"},
		{Error{Index: 2, Op: "copy_binary", Path: "x", Err: ErrMismatch}, "precheck: operation source hash mismatch"},
		{Error{Index: 2, Op: "copy_binary", Path: "x", Err: ErrChanged}, "precheck: operation failed"},
		{Error{Index: 2, Op: "copy_binary", Path: "x", Err: fault.Explain(syscall.ENOSPC)}, "precheck: operation failed"},
		{Error{Index: 2, Op: "copy_binary", Path: "x", Err: syscall.EIO}, "precheck: operation failed"},
	} {
		if tt.err.Message() != tt.message || tt.err.NextStep() == "" || !strings.Contains(tt.err.Error(), "operation 2 (copy_binary)") {
			t.Errorf("%q %q %q", tt.err.Message(), tt.err.NextStep(), tt.err.Error())
		}
		next[tt.err.NextStep()] = true
	}
	if len(next) != 5 {
		t.Error(next)
	}
}
