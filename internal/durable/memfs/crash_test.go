package memfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// put makes a file with unflushed bytes.
func put(t testing.TB, m *memfs.FS, name, text string) durable.File {
	t.Helper()
	f, err := m.Create(name, 0o644)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	return f
}

// text returns a file's content, or the error.
func text(m *memfs.FS, name string) string {
	data, _, err := durable.ReadFile(m, name, 1<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	case err != nil:
		return err.Error()
	}
	return string(data)
}

func none(m *memfs.FS) *memfs.FS { return m.Crash(memfs.Crash{Keep: memfs.None}) }

// random returns the distinct outcomes of many random crashes.
func random(m *memfs.FS, name string) map[string]int {
	found := map[string]int{}
	for seed := range uint64(300) {
		found[text(m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed}), name)]++
	}
	return found
}

func TestUnflushedIsLost(t *testing.T) {
	m := memfs.New()
	f := put(t, m, "f", "bytes")
	if got := text(none(m), "f"); got != "absent" {
		t.Error("a name without SyncDir survived:", got)
	}
	must(t, f.Sync())
	if got := text(none(m), "f"); got != "absent" {
		t.Error("Sync made the name durable:", got)
	}
	must(t, m.SyncDir("."))
	if got := text(none(m), "f"); got != "bytes" {
		t.Error("flushed, but", got)
	}
	_, err := f.Write([]byte(" more"))
	must(t, err, f.Chmod(0o600), f.Chown(42, 43))
	must(t, f.Datasync())
	disk := none(m)
	if got := text(disk, "f"); got != "bytes more" {
		t.Error("Datasync lost the size:", got)
	}
	if info, err := disk.Lstat("f"); err != nil || info.Mode != 0o644 || info.UID != 0 {
		t.Error("Datasync flushed mode or owner:", info, err)
	}
	must(t, f.Sync())
	if info, err := none(m).Lstat("f"); err != nil || info.Mode != 0o600 || info.UID != 42 || info.GID != 43 {
		t.Error("Sync did not flush mode and owner:", info, err)
	}
}

func TestNameWithoutBytes(t *testing.T) {
	m := memfs.New()
	put(t, m, "f", "bytes")
	must(t, m.SyncDir("."))
	if got := text(none(m), "f"); got != "" {
		t.Errorf("unflushed bytes survived: %q", got)
	}
	if got := text(m.Crash(memfs.Crash{Keep: memfs.All}), "f"); got != "bytes" {
		t.Errorf("All keeps %q", got)
	}
	outcomes := random(m, "f")
	for _, want := range []string{"", "bytes", "b", "byt\x00\x00", "\x00\x00tes"} { // lost, kept, torn, torn with the new size, torn at the other end
		if outcomes[want] == 0 {
			t.Errorf("%q never happened: %v", want, outcomes)
		}
	}
	for got := range outcomes {
		if !strings.HasPrefix("bytes", strings.TrimRight(got, "\x00")) && !strings.HasSuffix("bytes", strings.TrimLeft(got, "\x00")) {
			t.Errorf("impossible outcome %q", got)
		}
	}
}

func TestSyncDirIsNotRecursive(t *testing.T) {
	m := memfs.New()
	must(t, m.Mkdir("d", 0o755))
	f := put(t, m, "d/f", "x")
	must(t, f.Sync(), m.SyncDir("d"))
	if got := none(m).Dump(); len(got) != 0 {
		t.Error("a directory without a durable name survived:", got)
	}
	must(t, m.SyncDir("."))
	if got := text(none(m), "d/f"); got != "x" {
		t.Error(got)
	}
}

func TestRemovalComesBack(t *testing.T) {
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte("x"), 0o600), m.Remove("f"))
	if got := text(none(m), "f"); got != "x" {
		t.Error("an unflushed removal is durable:", got)
	}
	if got := random(m, "f"); got["x"] == 0 || got["absent"] == 0 || len(got) != 2 {
		t.Error(got)
	}
	must(t, m.SyncDir("."))
	if got := text(none(m), "f"); got != "absent" {
		t.Error(got)
	}
}

// TestRenameIsOneUnit moves a durable file over another, within a directory
// and between two: each name holds the one or the other, and neither is lost.
func TestRenameIsOneUnit(t *testing.T) {
	for _, to := range []string{"g", "d/g"} {
		for _, flushed := range []string{"", ".", "d"} {
			m := memfs.New()
			must(t, durable.MkdirAll(m, "d", 0o755))
			must(t, durable.WriteFile(m, "f", []byte("new"), 0o600), durable.WriteFile(m, to, []byte("old"), 0o600))
			must(t, m.Rename("f", to))
			if flushed != "" {
				must(t, m.SyncDir(flushed))
			}
			seen := map[string]bool{}
			for seed := range uint64(40) {
				disk := m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed})
				seen[text(disk, "f")+" "+text(disk, to)] = true
			}
			want := map[string]bool{"absent new": true, "new old": true}
			if flushed == "." || flushed == "d" && to == "d/g" {
				delete(want, "new old")
			}
			if !maps.Equal(seen, want) {
				t.Errorf("f to %s, %q flushed: %v, want %v", to, flushed, seen, want)
			}
		}
	}
}

// TestMovesNeverLose shuffles durable files through new, moved and removed
// directories. Whatever a crash keeps, each is still reachable, exactly once.
func TestMovesNeverLose(t *testing.T) {
	steps := []func(m *memfs.FS) error{
		func(m *memfs.FS) error { return m.Mkdir("new", 0o755) },
		func(m *memfs.FS) error { return m.Rename("a/f", "new/f") },
		func(m *memfs.FS) error { return m.Remove("a") },
		func(m *memfs.FS) error { return m.Rename("new", "b/new") },
		func(m *memfs.FS) error { return m.Rename("b/g", "b/new/g") },
		func(m *memfs.FS) error { return m.Mkdir("c", 0o755) },
		func(m *memfs.FS) error { return m.Rename("b/new", "c/new") },
		func(m *memfs.FS) error { return m.Rename("c", "b/c") },
		func(m *memfs.FS) error { return m.Rename("b", "bb") },
		func(m *memfs.FS) error { return m.Mkdir("empty", 0o755) },
		func(m *memfs.FS) error { return m.Rename("bb/c/new", "empty") },
		func(m *memfs.FS) error { return m.Remove("bb/c") },
		func(m *memfs.FS) error { return m.Rename("empty/f", "f") },
		func(m *memfs.FS) error { return m.Rename("empty/g", "f2") },
		func(m *memfs.FS) error { return m.Remove("empty") },
	}
	outcomes := map[string]bool{}
	for flush := -1; flush < len(steps); flush++ { // the step after which "b" or the root is flushed
		m := memfs.New()
		must(t, durable.MkdirAll(m, "a", 0o755), durable.MkdirAll(m, "b", 0o755))
		must(t, durable.WriteFile(m, "a/f", []byte("F"), 0o600), durable.WriteFile(m, "b/g", []byte("G"), 0o600))
		for i, step := range steps {
			must(t, step(m))
			if i == flush {
				_ = m.SyncDir("b") // it does not exist after some steps
				if i%2 == 0 {
					must(t, m.SyncDir("."))
				}
			}
			for seed := range uint64(60) {
				disk := m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed})
				tree := disk.Dump()
				var files []string
				for name, what := range tree {
					if strings.HasPrefix(what, "-") {
						files = append(files, name+"="+text(disk, name))
					}
				}
				all := strings.Join(files, " ")
				if len(files) != 2 || !strings.Contains(all, "=F") || !strings.Contains(all, "=G") {
					t.Fatalf("flush %d, step %d, seed %d: %v", flush, i, seed, tree)
				}
				outcomes[fmt.Sprint(tree)] = true
			}
		}
	}
	if len(outcomes) < 30 {
		t.Errorf("only %d distinct outcomes", len(outcomes))
	}
}

func TestSameSeedSameOutcome(t *testing.T) {
	m := memfs.New()
	for i := range 20 {
		put(t, m, fmt.Sprint("f", i), strings.Repeat("text", 100))
	}
	must(t, m.SyncDir("."))
	for i := range 20 {
		must(t, m.Rename(fmt.Sprint("f", i), fmt.Sprint("g", i)))
	}
	first := m.Crash(memfs.Crash{Keep: memfs.Random, Seed: 7}).Dump()
	if !maps.Equal(first, m.Crash(memfs.Crash{Keep: memfs.Random, Seed: 7}).Dump()) {
		t.Error("the same seed gave two outcomes")
	}
	if maps.Equal(first, m.Crash(memfs.Crash{Keep: memfs.Random, Seed: 8}).Dump()) {
		t.Error("another seed gave the same outcome")
	}
}

// TestOverwriteAndTruncate: unflushed changes of durable bytes are kept, lost
// or torn, each by itself.
func TestOverwriteAndTruncate(t *testing.T) {
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte("aaaa"), 0o600))
	f, err := m.OpenWrite("f")
	must(t, err)
	_, err = f.WriteAt([]byte("bb"), 0)
	must(t, err, f.Truncate(3))
	got := random(m, "f")
	for _, want := range []string{"aaaa", "aaa", "bbaa", "bba", "baaa", "baa", "abaa", "aba"} {
		if got[want] == 0 {
			t.Errorf("%q never happened: %v", want, got)
		}
		delete(got, want)
	}
	if len(got) != 0 {
		t.Error("impossible outcomes:", got)
	}
	if text(none(m), "f") != "aaaa" || text(m, "f") != "bba" {
		t.Error(text(none(m), "f"), text(m, "f"))
	}
	must(t, f.Preallocate(0, 5))
	if got := random(m, "f"); got["bba\x00\x00"] == 0 || got["bba"] == 0 {
		t.Error(got)
	}
}

// TestFailedSyncIsFinal: bytes that a flush could not write stay unflushed
// when the next one succeeds.
func TestFailedSyncIsFinal(t *testing.T) {
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte("...."), 0o600))
	f, err := m.OpenWrite("f")
	must(t, err)
	_, err = f.WriteAt([]byte("XX"), 0)
	must(t, err)
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpDatasync {
			return syscall.EIO
		}
		return nil
	})
	if err := f.Datasync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	m.SetHook(nil)
	must(t, f.Sync())
	if got := text(none(m), "f"); got != "...." {
		t.Error("a later Sync made the bytes durable:", got)
	}
	_, err = f.WriteAt([]byte("Y"), 1)
	must(t, err, f.Sync(), f.Chmod(0o640), f.Sync(), f.Sync())
	if got := text(none(m), "f"); got != ".Y.." {
		t.Error("what was written since is not durable:", got)
	}
	if got := text(m.Crash(memfs.Crash{Keep: memfs.All}), "f"); got != "XY.." {
		t.Error(got)
	}
	for got := range random(m, "f") {
		if got != ".Y.." && got != "XY.." {
			t.Error("impossible outcome", got)
		}
	}
}

func TestCrashLeavesTheOriginal(t *testing.T) {
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte("one"), 0o600))
	before := m.Dump()
	disk := none(m)
	must(t, durable.WriteFile(disk, "f", []byte("two"), 0o600), disk.Mkdir("d", 0o700))
	g, err := disk.OpenWrite("f")
	must(t, err)
	_, err = g.WriteAt([]byte("T"), 0)
	must(t, err)
	if !maps.Equal(before, m.Dump()) {
		t.Error("a crashed disk shares state with the original:", m.Dump())
	}
	f, err := m.OpenWrite("f")
	must(t, err)
	_, err = f.WriteAt([]byte("O"), 0)
	must(t, err)
	if text(disk, "f") != "Two" || text(m, "f") != "One" {
		t.Error(text(disk, "f"), text(m, "f"))
	}
}

func TestClone(t *testing.T) {
	m := memfs.New()
	must(t, m.Mkdir("d", 0o755))
	f := put(t, m, "d/f", "x")
	g := put(t, m, "d/g", "yy")
	must(t, m.Rename("d/f", "f"), m.Remove("d/g"), m.PlantHardlink("f", "h"))
	twin := m.Clone()
	if !maps.Equal(m.Dump(), twin.Dump()) || twin.Ops() != 0 {
		t.Error(m.Dump(), twin.Dump(), twin.Ops())
	}
	if m.Used() != 2*4096 || twin.Used() != 4096 {
		t.Error("the unlinked open file counts where it is open:", m.Used(), twin.Used())
	}
	must(t, twin.SyncDir("."), f.Sync(), f.Close(), g.Close())
	if got := text(none(twin), "f"); got != "" {
		t.Errorf("the twin's bytes are as durable as they were: %q", got)
	}
	if got := text(none(m), "h"); got != "x" {
		t.Error(got)
	}
}

func TestSyncAll(t *testing.T) {
	m := memfs.New()
	must(t, m.Mkdir("d", 0o755))
	put(t, m, "d/f", "x")
	must(t, m.PlantHardlink("d/f", "g"))
	ops := m.Ops()
	m.SyncAll()
	if !maps.Equal(m.Dump(), none(m).Dump()) || m.Ops() != ops {
		t.Error(m.Dump(), none(m).Dump())
	}
	if info, err := none(m).Lstat("g"); err != nil || info.Nlink != 2 {
		t.Error(info, err)
	}
}

func TestUnlinkedOpenFileStaysReadable(t *testing.T) {
	m := memfs.New()
	f := put(t, m, "f", "text")
	must(t, m.Remove("f"))
	got := make([]byte, 4)
	if n, err := f.ReadAt(got, 0); n != 4 || err != nil || string(got) != "text" {
		t.Error(n, err)
	}
	if info, err := f.Stat(); err != nil || info.Nlink != 0 {
		t.Error(info, err)
	}
	if m.Used() == 0 {
		t.Error("its space is free while it is open")
	}
	must(t, f.Close())
	if m.Used() != 0 {
		t.Error("its space is taken for ever")
	}
	if _, err := f.Read(got); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}

func TestReadsToTheEnd(t *testing.T) {
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte("text"), 0o600))
	f, err := m.Open("f")
	must(t, err)
	if data, err := io.ReadAll(f); err != nil || string(data) != "text" {
		t.Error(string(data), err)
	}
	if n, err := f.Read(nil); n != 0 || err != nil {
		t.Error("an empty read:", n, err)
	}
	if n, err := f.ReadAt(make([]byte, 3), 2); n != 2 || err != io.EOF {
		t.Error(n, err)
	}
}
