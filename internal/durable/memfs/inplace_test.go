package memfs_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

const block = 4096

// overwrite makes a durable file of n blocks of "a" and opens it.
func overwrite(t *testing.T, n int) (*memfs.FS, durable.File) {
	t.Helper()
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte(strings.Repeat("a", n*block)), 0o600))
	f, err := m.OpenWrite("f")
	must(t, err)
	return m, f
}

func writeAt(t *testing.T, f durable.File, text string, off int64) {
	t.Helper()
	_, err := f.WriteAt([]byte(text), off)
	must(t, err)
}

// runs describes text by its runs of equal bytes: "a4096b17".
func runs(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		n := len(text) - len(strings.TrimLeft(text, text[:1]))
		fmt.Fprintf(&out, "%s%d", text[:1], n)
		text = text[n:]
	}
	return out.String()
}

// TestCrashKeepsAnySubsetOfBlocks: a crash keeps any of the blocks of a write,
// not only the first ones, and tears each at either end.
func TestCrashKeepsAnySubsetOfBlocks(t *testing.T) {
	const off = 100 // blocks are aligned in the file, not in the write
	m, f := overwrite(t, 4)
	writeAt(t, f, strings.Repeat("b", 3*block), off)
	subsets, torn := map[string]bool{}, map[string]bool{}
	for seed := range uint64(3000) {
		got := text(m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed}), "f")
		if len(got) != 4*block || strings.Trim(got[:off]+got[off+3*block:], "a") != "" {
			t.Fatal("bytes outside the write changed:", runs(got))
		}
		subset := ""
		for i := range 4 {
			from, to := max(off, i*block), min(off+3*block, (i+1)*block)
			piece := got[from:to]
			switch {
			case piece == strings.Repeat("b", to-from):
				subset += "b"
			case piece == strings.Repeat("a", to-from):
				subset += "a"
			default:
				if n := len(strings.TrimLeft(piece, piece[:1])); strings.Trim(piece[len(piece)-n:], piece[len(piece)-1:]) != "" {
					t.Fatalf("block %d is torn more than once: %s", i, runs(piece))
				}
				torn[fmt.Sprint(i, piece[:1])] = true
				subset += "."
			}
		}
		subsets[subset] = true
	}
	for i := range 16 {
		want := strings.NewReplacer("0", "a", "1", "b").Replace(fmt.Sprintf("%04b", i))
		if !subsets[want] {
			t.Errorf("blocks %s never happened", want)
		}
	}
	if len(torn) != 8 {
		t.Errorf("not every block is torn at both ends: %v", torn)
	}
}

// TestCrashBetweenWritesToOneBlock: each state that the block went through can remain, and
// also a mixture of them.
func TestCrashBetweenWritesToOneBlock(t *testing.T) {
	m, f := overwrite(t, 1)
	writeAt(t, f, strings.Repeat("b", block), 0)
	writeAt(t, f, strings.Repeat("c", block), 0)
	whole, mixed := map[string]bool{}, map[string]bool{}
	for seed := range uint64(1000) {
		got := text(m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed}), "f")
		if strings.Trim(got, got[:1]) == "" {
			whole[got[:1]] = true
		} else {
			mixed[got[:1]+got[block-1:]] = true
		}
	}
	for _, want := range []string{"a", "b", "c"} {
		if !whole[want] {
			t.Errorf("a block of %s never happened", want)
		}
	}
	for _, want := range []string{"ba", "ab", "cb", "bc", "ca", "ac"} {
		if !mixed[want] {
			t.Errorf("%s and then %s never happened", want[:1], want[1:])
		}
	}
}

// failing makes the next flushes fail.
func failing(t *testing.T, m *memfs.FS, f durable.File) {
	t.Helper()
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
}

// TestRestart kills a process, runs another and cuts the power.
func TestRestart(t *testing.T) {
	m, f := overwrite(t, 1)
	writeAt(t, f, "flushed", 0)
	must(t, f.Datasync())
	writeAt(t, f, "PENDING", 100)
	must(t, f.Chmod(0o640))
	put(t, m, "new", "x")
	must(t, m.Mkdir("d", 0o755), m.Rename("new", "d/new"))
	m.SetHook(func(memfs.Op) error { t.Error("the hook of the killed process was called"); return nil })
	m.Kill()
	for _, next := range []*memfs.FS{m.Restart(), m.Restart().Restart()} {
		got := text(next, "f")
		if got[:7] != "flushed" || got[100:107] != "PENDING" || text(next, "d/new") != "x" || next.Ops() == 0 {
			t.Fatalf("the page cache is not as it was: %q, %v", got[:110], next.Dump())
		}
		cut := none(next)
		if got := text(cut, "f"); got[:7] != "flushed" || got[100:107] != "aaaaaaa" || len(cut.Dump()) != 1 {
			t.Errorf("a power cut after the restart kept what nothing flushed: %q, %v", got[:110], cut.Dump())
		}
		outcomes := map[bool]bool{}
		for seed := range uint64(40) {
			got := text(next.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed}), "f")
			outcomes[got[100:107] == "PENDING"] = true
		}
		if len(outcomes) != 2 {
			t.Error("a power cut after the restart always does the same:", outcomes)
		}
		g, err := next.OpenWrite("f")
		must(t, err, g.Sync(), next.SyncDir("."), next.SyncDir("d"))
		cut = none(next)
		if got := text(cut, "f"); got[100:107] != "PENDING" || cut.Dump()["d/new"] == "" {
			t.Errorf("the next process cannot flush what the killed one wrote: %q, %v", got[:110], cut.Dump())
		}
		if info, err := cut.Lstat("f"); err != nil || info.Mode != 0o640 {
			t.Error(info.Mode, err)
		}
	}
	if got := text(none(m), "f"); got[100:107] != "aaaaaaa" {
		t.Error("what the next process did changed the disk of the killed one")
	}
}

func TestRestartAfterGhost(t *testing.T) {
	m, f := overwrite(t, 1)
	writeAt(t, f, "before", 0)
	m.Ghost()
	writeAt(t, f, "imagined", 0)
	if got := text(m.Restart(), "f"); got[:8] != "beforeaa" {
		t.Errorf("%q", got[:8])
	}
}

// TestRestartForgetsHandles: a file that only the killed process still had open is gone,
// and its space is free.
func TestRestartForgetsHandles(t *testing.T) {
	m, _ := overwrite(t, 1)
	put(t, m, "open", "x")
	must(t, m.Remove("open"))
	next := m.Restart()
	if m.Used() != 2*block || next.Used() != block || m.Inodes() != 3 || next.Inodes() != 2 {
		t.Error(m.Used(), next.Used(), m.Inodes(), next.Inodes())
	}
}

// TestWriteAgainAfterFailedSync: the same bytes written again reach the disk,
// in this process and in the next, though a flush alone writes nothing.
func TestWriteAgainAfterFailedSync(t *testing.T) {
	for _, restart := range []bool{false, true} {
		m, f := overwrite(t, 3)
		new := strings.Repeat("b", block)
		writeAt(t, f, new, block)
		failing(t, m, f)
		if restart {
			m = m.Restart()
			var err error
			f, err = m.OpenWrite("f")
			must(t, err)
		}
		must(t, f.Datasync(), f.Sync())
		if got := runs(text(m, "f")); got != "a4096b4096a4096" {
			t.Fatal("not readable any more:", got)
		}
		if got := runs(text(none(m), "f")); got != "a12288" {
			t.Fatal("a flush alone wrote it:", got)
		}
		writeAt(t, f, new, block)
		if got := runs(text(none(m), "f")); got != "a12288" {
			t.Fatal("it is durable without a flush:", got)
		}
		must(t, f.Datasync())
		for seed := range uint64(50) { // and certainly: the first failure does not matter any more
			if got := runs(text(m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed}), "f")); got != "a4096b4096a4096" {
				t.Fatal("written again and flushed, but", got)
			}
		}
	}
}

// TestPartlyWrittenAgainAfterFailedSync: only what was written again is certain.
func TestPartlyWrittenAgainAfterFailedSync(t *testing.T) {
	m, f := overwrite(t, 2)
	writeAt(t, f, strings.Repeat("b", 2*block), 0)
	failing(t, m, f)
	writeAt(t, f, strings.Repeat("b", block), 0)
	must(t, f.Sync())
	if got := runs(text(none(m), "f")); got != "b4096a4096" {
		t.Fatal(got)
	}
	writeAt(t, f, strings.Repeat("c", block), block)
	must(t, f.Sync()) // two writes cover the failed one together
	if got := runs(text(none(m), "f")); got != "b4096c4096" {
		t.Fatal(got)
	}
}

// TestOverwritingNeedsNoSpace: on a disk without a free block or inode, existing blocks
// are written in place, also after a restart and a crash.
func TestOverwritingNeedsNoSpace(t *testing.T) {
	m := memfs.New()
	f := put(t, m, "f", string(make([]byte, 3*block))) // written zeros, not a hole
	must(t, f.Sync(), m.SyncDir("."))
	m.SetCapacity(m.Used())
	m.SetInodes(m.Inodes())
	for _, disk := range []*memfs.FS{m, m.Clone(), m.Restart(), none(m), m.Crash(memfs.Crash{Keep: memfs.All}), m.Crash(memfs.Crash{Keep: memfs.Random})} {
		if space, err := durable.FreeSpace(disk); err != nil || space != (durable.Space{TotalBytes: 3 * block}) {
			t.Error(space, err)
		}
		f, err := disk.OpenWrite("f")
		must(t, err)
		writeAt(t, f, strings.Repeat("b", 2*block), 100)
		must(t, f.Datasync())
		if got := text(none(disk), "f"); got[100:100+2*block] != strings.Repeat("b", 2*block) {
			t.Error(runs(got))
		}
		if _, err := f.WriteAt([]byte("x"), 3*block); !errors.Is(err, syscall.ENOSPC) {
			t.Error("behind the end:", err)
		}
		if _, err := disk.Create("g", 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Error("create:", err)
		}
	}
}

func TestInodes(t *testing.T) {
	m := memfs.New()
	if space, err := durable.FreeSpace(m); err != nil || space != (durable.Space{TotalBytes: math.MaxUint64, FreeBytes: math.MaxUint64, FreeInodes: math.MaxUint64}) {
		t.Error("a disk without limits:", space, err)
	}
	m.SetInodes(3) // with the root
	m.SetCapacity(10*block + 17)
	must(t, m.Mkdir("d", 0o755))
	f := put(t, m, "f", "x")
	if space, err := durable.FreeSpace(m); err != nil || space != (durable.Space{TotalBytes: 10*block + 17, FreeBytes: 9 * block}) {
		t.Error(space, err)
	}
	full := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", what, err)
		}
	}
	full("mkdir", m.Mkdir("e", 0o755))
	_, err := m.Create("g", 0o600)
	full("create", err)
	if _, err := m.Create("f", 0o600); !errors.Is(err, syscall.EEXIST) {
		t.Error("a name that exists is reported first:", err)
	}
	must(t, m.Rename("f", "d/f"), m.SyncDir("."), m.SyncDir("d"), m.Remove("d/f"))
	full("while an unlinked file is open", m.Mkdir("e", 0o755))
	must(t, f.Close(), m.Mkdir("e", 0o755))
	full("again", m.Mkdir("g", 0o755))
	must(t, m.Remove("e"))
	put(t, m, "g", "").Close()
	must(t, m.Rename("g", "d/g"), m.SyncDir("d"))
	back := none(m)
	if back.Inodes() != 3 || len(back.Dump()) != 2 {
		t.Error(back.Inodes(), back.Dump())
	}
	full("after a crash", back.Mkdir("e", 0o755))
	m.SetInodes(1)
	if space, err := durable.FreeSpace(m); err != nil || space.FreeInodes != 0 {
		t.Error("more is used than the limit:", space, err)
	}
	m.SetInodes(-1)
	must(t, m.Mkdir("e", 0o755))
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpFreeSpace && !op.Mutates {
			return syscall.EIO
		}
		return nil
	})
	if _, err := durable.FreeSpace(m); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}
