package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestCheckName(t *testing.T) {
	for _, good := range []string{".", "a", "a/b", "...", "..a", "a/..b", ".hidden", "a b", "x\xff"} {
		if err := durable.CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "/", "/a", "a/", "a//b", "./a", "a/.", "..", "../a", "a/..", "a/../b", "a/./b", "a\x00b", string(bytes.Repeat([]byte("a/"), 2048)) + "a",
	} {
		if err := durable.CheckName(bad); !errors.Is(err, durable.ErrName) {
			t.Errorf("%.20q: %v, want ErrName", bad, err)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{".", "a/b", "../a", "a//b", "/", "a/./b", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if durable.CheckName(name) != nil {
			return
		}
		if filepath.IsAbs(name) || !filepath.IsLocal(name) || filepath.Clean(name) != name {
			t.Errorf("%q passes but is not clean and local", name)
		}
	})
}

func TestReadFileLimits(t *testing.T) {
	dir := t.TempDir()
	root := openRoot(t, dir, false)
	mem := memfs.New()
	for _, fsys := range []durable.FS{root, mem} {
		for _, size := range []int{0, 1, 511, 512, 513, 100_000} {
			want := bytes.Repeat([]byte("x"), size)
			if err := durable.WriteFile(fsys, "f", want, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, limit := range []int64{int64(size), int64(size) + 1, 1 << 20} {
				got, info, err := durable.ReadFile(fsys, "f", limit)
				if err != nil || !bytes.Equal(got, want) || info.Size != int64(size) || info.Name != "f" {
					t.Fatalf("%T size %d limit %d: %d bytes, %+v, %v", fsys, size, limit, len(got), info, err)
				}
			}
			got, info, err := durable.ReadFile(fsys, "f", int64(size)-1)
			if !errors.Is(err, durable.ErrTooLarge) || got != nil || info.Size != int64(size) {
				t.Fatalf("%T size %d over its limit: %d bytes, %+v, %v", fsys, size, len(got), info, err)
			}
		}
	}
	// 10 GB where a configuration belongs: refused by its size, not read.
	if err := os.Truncate(filepath.Join(dir, "f"), 10<<30); err != nil {
		t.Fatal(err)
	}
	if _, _, err := durable.ReadFile(root, "f", 1<<20); !errors.Is(err, durable.ErrTooLarge) {
		t.Fatal(err)
	}
	if _, err := durable.ReadHostFile(filepath.Join(dir, "f"), 1<<20); !errors.Is(err, durable.ErrTooLarge) {
		t.Fatal(err)
	}
}

// TestReadFileGrowing makes the file grow between its Stat and its reads.
func TestReadFileGrowing(t *testing.T) {
	mem := memfs.New()
	f, err := mem.Create("f", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	mem.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRead {
			mem.SetHook(nil)
			_, err := f.Write(bytes.Repeat([]byte("y"), 5000))
			return err
		}
		return nil
	})
	if _, _, err := durable.ReadFile(mem, "f", 1000); !errors.Is(err, durable.ErrTooLarge) {
		t.Fatal(err)
	}
	if data, _, err := durable.ReadFile(mem, "f", 5000); err != nil || len(data) != 5000 {
		t.Fatal(len(data), err)
	}
}

func TestReadHostFile(t *testing.T) {
	dir := t.TempDir()
	at := func(n string) string { return filepath.Join(dir, n) }
	write(t, at("real/f"), "text")
	for link, target := range map[string]string{"link": "real/f", "dirlink": "real", "loop": "loop", "dangling": "nowhere"} {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name string
		want error
	}{
		{"real/f", nil}, {"link", nil}, {"dirlink/f", nil},
		{"real", durable.ErrNotRegular}, {"dirlink", durable.ErrNotRegular},
		{"loop", syscall.ELOOP}, {"dangling", fs.ErrNotExist}, {"absent", fs.ErrNotExist}, {"real/f/x", syscall.ENOTDIR},
	}
	for _, test := range tests {
		data, err := durable.ReadHostFile(at(test.name), 4)
		if !errors.Is(err, test.want) || err == nil && string(data) != "text" {
			t.Errorf("%s: %q, %v, want %v", test.name, data, err, test.want)
		}
		if errors.Is(err, durable.ErrSymlink) {
			t.Errorf("%s: links are allowed here: %v", test.name, err)
		}
	}
	if _, err := durable.ReadHostFile("/dev/null", 4); !errors.Is(err, durable.ErrNotRegular) {
		t.Errorf("/dev/null: %v", err)
	}
	if _, err := durable.ReadHostFile("/proc/self/status", 16); !errors.Is(err, durable.ErrTooLarge) {
		t.Errorf("/proc/self/status, which claims to be empty: %v", err)
	}
}

func TestMkdirAllMeetsOthers(t *testing.T) {
	mem := memfs.New()
	if err := durable.WriteFile(mem, "file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := mem.PlantSymlink("link", "."); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{
		"file": syscall.ENOTDIR, "file/x": syscall.ENOTDIR, "link": durable.ErrSymlink, "link/x": durable.ErrSymlink,
		"../x": durable.ErrName, ".": nil, "a/b/c": nil,
	} {
		if err := durable.MkdirAll(mem, name, 0o750); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	disk := mem.Crash(memfs.Crash{Keep: memfs.None}).Dump()
	if disk["a"] != "drwxr-x---" || disk["a/b/c"] != "drwxr-x---" {
		t.Errorf("the directories are not durable: %v", disk)
	}
	// Another process makes the directory, or a file, in between.
	for _, other := range []struct {
		make func(name string) error
		want error
	}{
		{func(n string) error { return mem.Mkdir(n, 0o700) }, nil},
		{func(n string) error { _, err := mem.Create(n, 0o600); return err }, syscall.ENOTDIR},
	} {
		name := fmt.Sprintf("race%v", other.want)
		mem.SetHook(func(op memfs.Op) error {
			if op.Kind == memfs.OpMkdir {
				mem.SetHook(nil)
				return other.make(name)
			}
			return nil
		})
		if err := durable.MkdirAll(mem, name, 0o700); !errors.Is(err, other.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriteFileReplacesStaleTemporary(t *testing.T) {
	for _, stale := range []func(*memfs.FS) error{
		func(m *memfs.FS) error { return m.Mkdir("f.tmp", 0o700) },
		func(m *memfs.FS) error { return m.PlantSymlink("f.tmp", "f") },
		func(m *memfs.FS) error { return m.PlantFIFO("f.tmp") },
		func(m *memfs.FS) error { _, err := m.Create("f.tmp", 0o777); return err },
	} {
		mem := memfs.New()
		if err := stale(mem); err != nil {
			t.Fatal(err)
		}
		if err := durable.WriteFile(mem, "f", []byte("new"), 0o640); err != nil {
			t.Fatal(err)
		}
		disk := mem.Crash(memfs.Crash{})
		if got, info, err := durable.ReadFile(disk, "f", 10); err != nil || string(got) != "new" || info.Mode != 0o640 {
			t.Fatal(string(got), info.Mode, err)
		}
		if len(disk.Dump()) != 1 {
			t.Fatal("the temporary is still there", disk.Dump())
		}
	}
}

// TestTemporaryOfSomebodyElse: something that WriteFile never leaves under the temporary
// name is not removed.
func TestTemporaryOfSomebodyElse(t *testing.T) {
	mem := memfs.New()
	if err := errors.Join(durable.MkdirAll(mem, "f.tmp/deep", 0o700), durable.WriteFile(mem, "f", []byte("old"), 0o600)); !errors.Is(err, syscall.ENOTEMPTY) {
		t.Errorf("got %v", err)
	}
	if err := durable.RemoveTemporary(mem, "f"); err != nil {
		t.Error(err)
	}
	if _, err := mem.Lstat("f.tmp/deep"); err != nil {
		t.Errorf("removed: %v", err)
	}
	if err := errors.Join(durable.WriteFile(mem, "g.tmp", []byte("half"), 0o600), durable.RemoveTemporary(mem, "g")); err != nil {
		t.Error(err)
	}
	if _, err := mem.Crash(memfs.Crash{Keep: memfs.None}).Lstat("g.tmp"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if err := durable.RemoveTemporary(mem, "absent/g"); err != nil {
		t.Error(err)
	}
}

// outcomes are the ways in which a crash keeps unflushed changes.
var outcomes = []memfs.Crash{
	{Keep: memfs.None}, {Keep: memfs.All},
	{Keep: memfs.Random, Seed: 1}, {Keep: memfs.Random, Seed: 2}, {Keep: memfs.Random, Seed: 3}, {Keep: memfs.Random, Seed: 4},
}

// TestWriteFileCrashes cuts the power before every operation of WriteFile, and then fails
// each instead: the name holds the old bytes or the new ones, whole.
func TestWriteFileCrashes(t *testing.T) {
	oldText, newText := bytes.Repeat([]byte("old "), 3000), bytes.Repeat([]byte("new "), 2000)
	prepare := func() *memfs.FS {
		mem := memfs.New()
		if err := durable.WriteFile(mem, "f", oldText, 0o600); err != nil {
			t.Fatal(err)
		}
		return mem
	}
	check := func(at string, disk *memfs.FS) {
		t.Helper()
		got, info, err := durable.ReadFile(disk, "f", 1<<20)
		old := bytes.Equal(got, oldText) && info.Mode == 0o600
		if err != nil || !old && (!bytes.Equal(got, newText) || info.Mode != 0o640) {
			t.Fatalf("%s: %d bytes, mode %v, %v", at, len(got), info.Mode, err)
		}
		if err := durable.WriteFile(disk, "f", newText, 0o640); err != nil {
			t.Fatalf("%s: writing again: %v", at, err)
		}
		if again := disk.Crash(memfs.Crash{}); len(again.Dump()) != 1 {
			t.Fatalf("%s: left over: %v", at, again.Dump())
		}
	}
	count := prepare()
	before := count.Ops()
	if err := durable.WriteFile(count, "f", newText, 0o640); err != nil {
		t.Fatal(err)
	}
	points := count.Ops() - before
	for n := 1; n <= points; n++ {
		for _, fault := range []string{"power", "EIO", "ENOSPC after 7 bytes", "EIO after the effect"} {
			mem := prepare()
			at := mem.Ops() + n
			mem.SetHook(func(op memfs.Op) error {
				if op.N != at {
					return nil
				}
				switch fault {
				case "power":
					mem.Kill()
					return nil
				case "EIO":
					return syscall.EIO
				case "EIO after the effect":
					return &memfs.After{Err: syscall.EIO}
				}
				return &memfs.ShortWrite{N: 7, Err: syscall.ENOSPC}
			})
			err := durable.WriteFile(mem, "f", newText, 0o640)
			if err == nil {
				t.Fatalf("%s at operation %d was not reported", fault, n)
			}
			for _, c := range outcomes {
				check(fmt.Sprintf("%s at operation %d, %+v", fault, n, c), mem.Crash(c))
			}
		}
	}
	for _, c := range outcomes { // acknowledged: nothing may bring the old bytes back
		got, _, err := durable.ReadFile(count.Crash(c), "f", 1<<20)
		if err != nil || !bytes.Equal(got, newText) {
			t.Fatalf("%+v: the new bytes were lost: %d bytes, %v", c, len(got), err)
		}
	}
	t.Logf("%d operations, %d outcomes each", points, len(outcomes))
}

// TestFaultsAreReported fails every operation of the other functions once.
func TestFaultsAreReported(t *testing.T) {
	run := map[string]func(*memfs.FS) error{
		"readfile":  func(m *memfs.FS) error { _, _, err := durable.ReadFile(m, "tree/f", 100); return err },
		"mkdirall":  func(m *memfs.FS) error { return durable.MkdirAll(m, "x/y/z", 0o700) },
		"removeall": func(m *memfs.FS) error { return durable.RemoveAll(m, "tree") },
	}
	prepare := func() *memfs.FS {
		m := memfs.New()
		if err := durable.MkdirAll(m, "tree/sub", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := durable.WriteFile(m, "tree/f", []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, act := range run {
		for n := 1; ; n++ {
			m := prepare()
			at := m.Ops() + n
			met := memfs.OpKind("")
			m.SetHook(func(op memfs.Op) error {
				if op.N == at {
					met = op.Kind
					return syscall.EIO
				}
				return nil
			})
			err := act(m)
			if met == "" {
				if err != nil {
					t.Fatalf("%s without a fault: %v", name, err)
				}
				break
			}
			// An error of closing a file that was only read may be ignored.
			if !errors.Is(err, syscall.EIO) && met != memfs.OpClose {
				t.Errorf("%s: EIO at operation %d (%s) gave %v", name, n, met, err)
			}
		}
	}
}
