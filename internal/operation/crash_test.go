package operation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
)

// TestApplyFails fails each operation in turn, once as not done and once as done without an
// answer. The destination holds old bytes or new ones, and once the disk works again the
// next application succeeds.
func TestApplyFails(t *testing.T) {
	points := 0
	for _, old := range []string{"", "old bytes", "new bytes"} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				m := newDisk(t)
				want := "absent"
				if old != "" {
					put(t, m, "bin/app", old, 0o755)
					want = old
				}
				start := m.Ops()
				m.SetHook(func(op memfs.Op) error {
					switch {
					case op.N != start+n:
						return nil
					case after:
						return &memfs.After{Err: syscall.EIO}
					}
					return syscall.EIO
				})
				_, err := Apply(m, copyApp())
				if m.Ops() < start+n {
					break
				}
				points++
				m.SetHook(nil)
				if got := text(m, "bin/app"); got != want && got != "new bytes" || err == nil && got != "new bytes" {
					t.Fatalf("%q, operation %d: %q, %v", old, n, got, err)
				}
				if _, err := Apply(m, copyApp()); err != nil {
					t.Fatalf("%q, operation %d: again: %v", old, n, err)
				}
				installedDurably(t, m.Crash(memfs.Crash{Keep: memfs.None}), fmt.Sprintf("%q, operation %d", old, n))
			}
		}
	}
	t.Logf("%d failures", points)
}

// installedDurably checks that the destination is durable and that nothing else is beside it.
func installedDurably(t *testing.T, disk *memfs.FS, when string) {
	t.Helper()
	info, err := disk.Lstat("bin/app")
	if err != nil || info.Mode != 0o755 || text(disk, "bin/app") != "new bytes" {
		t.Fatalf("%s: %q, %v, %v", when, text(disk, "bin/app"), info.Mode, err)
	}
	if entries, err := disk.ReadDir("bin"); err != nil || len(entries) != 1 {
		t.Fatalf("%s: %v, %v", when, entries, err)
	}
}

// TestApplyCrash cuts the power before every operation. Whatever the crash keeps, the
// destination holds the old bytes with their mode or the new ones with theirs, and applying
// again leads to the new ones, durably. The process may also be killed without a power cut:
// then the next application must flush what it left unflushed.
func TestApplyCrash(t *testing.T) {
	points := 0
	for _, old := range []string{"", "old bytes", "new bytes", "no folder"} {
		for n := 1; ; n++ {
			m := newDisk(t)
			switch old {
			case "":
			case "no folder":
				check(t, m.Remove("bin"), m.SyncDir("."))
			default:
				put(t, m, "bin/app", old, 0o600)
			}
			start := m.Ops()
			m.SetHook(func(op memfs.Op) error {
				if op.N == start+n {
					m.Kill()
				}
				return nil
			})
			_, err := Apply(m, copyApp())
			if m.Ops() < start+n {
				check(t, err)
				installedDurably(t, m.Crash(memfs.Crash{Keep: memfs.None}), old+" whole")
				break
			}
			if !errors.Is(err, memfs.ErrDead) && m.Ops() != start+n {
				t.Fatal(err)
			}
			crashes := []memfs.Crash{{Keep: memfs.None}, {Keep: memfs.All}}
			for range 24 {
				crashes = append(crashes, memfs.Crash{Keep: memfs.Random, Seed: rand.Uint64()})
			}
			for _, c := range crashes {
				points++
				when := fmt.Sprintf("%q, operation %d, %+v", old, n, c)
				disk := m.Crash(c)
				got, want := text(disk, "bin/app"), old
				if old == "" || old == "no folder" {
					want = "absent"
				}
				if got != want && got != "new bytes" {
					t.Fatalf("%s: %q", when, got)
				}
				if info, err := disk.Lstat("bin/app"); err == nil && info.Mode != 0o755 && (info.Mode != 0o600 || got != old) {
					t.Fatalf("%s: mode %v of %q", when, info.Mode, got)
				}
				if _, err := Apply(disk, copyApp()); err != nil {
					t.Fatalf("%s: again: %v", when, err)
				}
				installedDurably(t, disk, when)
				installedDurably(t, disk.Crash(memfs.Crash{Keep: memfs.None}), when)
			}
		}
	}
	t.Logf("%d crashes", points)
}

// TestKilledThenPowerLost: a process is stopped at every operation, the next one applies
// again on the same kernel, then the power is cut.
func TestKilledThenPowerLost(t *testing.T) {
	stop := errors.New("stopped")
	for n := 1; ; n++ {
		m := newDisk(t)
		p := copyApp()
		p.Dst = "a/b/app"
		start := m.Ops()
		m.SetHook(func(op memfs.Op) error {
			if op.N >= start+n {
				return stop
			}
			return nil
		})
		_, err := Apply(m, p)
		if err == nil {
			if n < 15 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		m.SetHook(nil)
		_, err = Apply(m, p)
		check(t, err)
		if got := text(m.Crash(memfs.Crash{Keep: memfs.None}), p.Dst); got != "new bytes" {
			t.Fatalf("stopped at operation %d, applied, power cut: %s", n, got)
		}
	}
}

// TestApplyFlushesEveryDirectory: Apply also flushes the directories above the destination.
// The in-memory disk keeps a new directory together with a file renamed into it; not every
// disk does.
func TestApplyFlushesEveryDirectory(t *testing.T) {
	m := newDisk(t)
	check(t, m.Mkdir("a", 0o755), m.Mkdir("a/b", 0o755))
	p := copyApp()
	p.Dst = "a/b/app"
	for _, inPlace := range []bool{false, true} {
		var flushed []string
		m.SetHook(func(op memfs.Op) error {
			switch op.Kind {
			case memfs.OpRename:
				flushed = nil
			case memfs.OpSyncDir:
				flushed = append(flushed, op.Name)
			}
			return nil
		})
		res, err := Apply(m, p)
		if err != nil || res.AlreadyInPlace != inPlace || !slices.Equal(flushed, []string{"a/b", "a", "."}) {
			t.Errorf("%+v, %v, flushed %v", res, err, flushed)
		}
	}
}

// TestInPlaceIsFlushed: bytes that another process put in place without flushing them are
// durable after Apply has reported them in place.
func TestInPlaceIsFlushed(t *testing.T) {
	m := newDisk(t)
	f, err := m.Create("bin/app", 0o755)
	check(t, err)
	_, err = f.Write([]byte("new bytes"))
	check(t, err, f.Close())
	if got := text(m.Crash(memfs.Crash{Keep: memfs.None}), "bin/app"); got != "absent" {
		t.Fatal("durable to begin with:", got)
	}
	res, err := Apply(m, copyApp())
	if err != nil || !res.AlreadyInPlace {
		t.Fatal(res, err)
	}
	installedDurably(t, m.Crash(memfs.Crash{Keep: memfs.None}), "in place")
}
