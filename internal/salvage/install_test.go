package salvage

import (
	"errors"
	"maps"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// salvagedDisk checks what every salvage of damaged leaves: a new journal of one record
// with the floors, the unchanged damaged journal, and its records.
func salvagedDisk(t *testing.T, m *memfs.FS, in Installed, damaged map[string]string) {
	t.Helper()
	all := records(t, m)
	if len(all) != 1 || all[0].Journal != in.Journal {
		t.Fatalf("%d records of journal %s, installed %s", len(all), all[0].Journal, in.Journal)
	}
	e, err := replay.Event(all[0])
	check(t, err)
	if s, ok := e.Payload.(machine.JournalSalvaged); !ok || s.Epoch != 1 || s.Serial == nil || *s.Serial != 7 || s.Predecessor == "" {
		t.Errorf("%+v", e.Payload)
	}
	dump := m.Dump()
	if len(damaged) > 0 {
		quarantine := named(t, m, stateroot.JournalQuarantine)
		if len(quarantine) != 1 || quarantine[0] != in.Quarantine {
			t.Fatalf("quarantine %v, %q", quarantine, in.Quarantine)
		}
		if !maps.Equal(under(dump, in.Quarantine), damaged) {
			t.Error("the damaged journal is not as it was")
		}
	}
	if works := named(t, m, stateroot.JournalSalvage); len(works) != 1 || works[0]+"/"+stateroot.PredecessorRecords != in.Kept {
		t.Errorf("%v, kept %s", works, in.Kept)
	}
	if lines := strings.Count(get(t, m, in.Kept), "\n"); uint64(lines) != in.Event.Size {
		t.Errorf("%d lines kept, the event says %d", lines, in.Event.Size)
	}
}

func TestInstall(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(m *memfs.FS)
		kept   uint64
	}{
		"whole":       {func(*memfs.FS) {}, grownRecords},
		"rotten":      {func(m *memfs.FS) { rotten(t, m) }, 0},
		"gone":        {func(m *memfs.FS) { check(t, durable.RemoveAll(m, stateroot.Journal)) }, 0},
		"head absent": {func(m *memfs.FS) { check(t, m.Remove(stateroot.JournalHead)) }, grownRecords},
	} {
		t.Run(name, func(t *testing.T) {
			h, m := grown(t)
			tt.damage(m)
			damaged := under(m.Dump(), stateroot.Journal)
			req := someone()
			req.Node, req.Predecessor = historytest.Node, h.State.Journal
			in, err := Install(m, req)
			check(t, err)
			salvagedDisk(t, m, in, damaged)
			if in.Event.Size != tt.kept || in.Resumed || (in.Quarantine == "") != (name == "gone") {
				t.Errorf("%+v", in)
			}
		})
	}
}

// Without a name for the node nothing is changed.
func TestInstall_NoName(t *testing.T) {
	_, m := grown(t)
	rotten(t, m)
	before := m.Dump()
	if _, err := Install(m, someone()); !errors.Is(err, ErrNode) {
		t.Fatal(err)
	}
	if !maps.Equal(m.Dump(), before) {
		t.Error("something was changed")
	}
}

// Every operation of an installation fails once, and Install is called again: there is one
// salvage, nothing is lost, and no preparations pile up.
func TestCrashInstallFails(t *testing.T) {
	everywhere(t, func(_ *testing.T, m *memfs.FS, n int) (left []*memfs.FS) {
		for _, err := range []error{syscall.EIO, &memfs.After{Err: syscall.EIO}} {
			d := m.Clone()
			first := d.Ops()
			d.SetHook(func(op memfs.Op) error {
				if op.N-first == n {
					return err
				}
				return nil
			})
			// It may succeed all the same: not every close matters.
			_, _ = Install(d, theNode())
			d.SetHook(nil)
			left = append(left, d)
		}
		return left
	})
}

// The power is cut at every operation.
func TestCrashInstallLosesPower(t *testing.T) {
	everywhere(t, func(_ *testing.T, m *memfs.FS, n int) (left []*memfs.FS) {
		d := losesPower(m, n)
		for _, c := range []memfs.Crash{{Keep: memfs.None}, {Keep: memfs.All}, {Keep: memfs.Random, Seed: uint64(n)}} {
			left = append(left, d.Crash(c))
		}
		return left
	})
}

// The gate is killed at every operation; then Install is called again in the same boot, and
// the power is cut at some operation of that call.
func TestCrashInstallKilled(t *testing.T) {
	everywhere(t, func(t *testing.T, m *memfs.FS, n int) (left []*memfs.FS) {
		killed := losesPower(m, n).Restart()
		if whole(t, killed.Clone(), new(Installed)) {
			return nil
		}
		for k := n % every(43); k < 120; k += every(43) {
			d := losesPower(killed, k+1)
			left = append(left, d.Crash(memfs.Crash{Keep: memfs.None}), d.Crash(memfs.Crash{Keep: memfs.Random, Seed: uint64(n<<8 | k)}))
		}
		return left
	})
}

// The power is cut while a preparation that was never installed is removed: what is
// left of it does not look installed, and the next installation removes it.
func TestCrashDiscard(t *testing.T) {
	_, base := grown(t)
	hollow(t, base)
	damaged := under(base.Dump(), stateroot.Journal)
	prepared := base.Clone()
	work := stateroot.JournalSalvage + theNode().Now.UTC().Format(stampLayout)
	check(t, prepared.Mkdir(work, 0o750))
	_, err := prepare(prepared, work, theNode())
	check(t, err)
	prepared.SyncAll()
	counted := prepared.Clone()
	first := counted.Ops()
	check(t, sweep(counted))
	total := counted.Ops() - first
	for n := 1; n <= total; n++ {
		for seed := range uint64(32) {
			d := prepared.Clone()
			first := d.Ops()
			d.SetHook(func(op memfs.Op) error {
				if op.N-first == n {
					d.Ghost()
				}
				return nil
			})
			_ = sweep(d) // in vain
			m := d.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed})
			in, err := Install(m, theNode())
			check(t, err)
			salvagedDisk(t, m, in, damaged)
			if t.Failed() {
				t.Fatalf("operation %d of %d, seed %d", n, total, seed)
			}
		}
	}
	if total < 5 {
		t.Errorf("%d operations", total)
	}
}

// losesPower returns a disk like m on which nothing is durable from the n-th operation of
// an installation on.
func losesPower(m *memfs.FS, n int) *memfs.FS {
	d := m.Clone()
	first := d.Ops()
	d.SetHook(func(op memfs.Op) error {
		if op.N-first == n {
			d.Ghost()
		}
		return nil
	})
	_, _ = Install(d, theNode())
	return d
}

func theNode() Request {
	req := someone()
	req.Node = historytest.Node
	return req
}

// every returns the stride of a sweep: n, more under the race detector, or 1 if it
// is exhaustive (make crash).
func every(n int) int {
	switch {
	case os.Getenv("EDGED_CRASH") == "full":
		return 1
	case memfs.RaceDetector:
		return 8 * n
	}
	return n
}

// everywhere calls happen at each operation of an installation over a damaged journal, and
// then completes the installation.
func everywhere(t *testing.T, happen func(t *testing.T, m *memfs.FS, n int) []*memfs.FS) {
	_, base := grown(t)
	hollow(t, base)
	damaged := under(base.Dump(), stateroot.Journal)
	counted := base.Clone()
	first := counted.Ops()
	if _, err := Install(counted, theNode()); err != nil {
		t.Fatal(err)
	}
	total, points, resumed := counted.Ops()-first, 0, 0
	for n := 1; n <= total; n += every(5) {
		for _, m := range happen(t, base, n) {
			points++
			in, err := again(t, m)
			if err != nil {
				t.Fatalf("operation %d of %d: %v", n, total, err)
			}
			if in.Resumed {
				resumed++
			}
			salvagedDisk(t, m, in, damaged)
			if t.Failed() {
				t.Fatalf("operation %d of %d", n, total)
			}
		}
	}
	t.Logf("%d points, %d resumed", points, resumed)
	if resumed == 0 || resumed == points {
		t.Errorf("%d of %d points were resumed: the sweep is broken", resumed, points)
	}
}

// again installs, unless a salvage is complete already.
func again(t *testing.T, m *memfs.FS) (Installed, error) {
	t.Helper()
	var in Installed
	if whole(t, m, &in) {
		return in, nil
	}
	return Install(m, theNode())
}

// whole reports whether a salvage is complete, and describes it.
func whole(t *testing.T, m *memfs.FS, in *Installed) bool {
	t.Helper()
	works := named(t, m, stateroot.JournalSalvage)
	if describe(m, in) != nil || len(works) != 1 || headOf(m) != in.Journal {
		return false
	}
	in.Kept, in.Quarantine = works[0]+"/"+stateroot.PredecessorRecords, named(t, m, stateroot.JournalQuarantine)[0]
	return true
}

// A salvage of a salvaged journal starts again, and leaves the files of the first one in
// place.
func TestInstall_Twice(t *testing.T) {
	_, m := grown(t)
	first, err := Install(m, theNode())
	check(t, err)
	req := theNode()
	req.Now = req.Now.AddDate(0, 0, 1)
	second, err := Install(m, req)
	check(t, err)
	if second.Resumed || second.Event.Predecessor != first.Journal || second.Event.Size != 1 || second.Event.Epoch != 1 || second.Event.Serial == nil {
		t.Errorf("%+v", second)
	}
	if len(named(t, m, stateroot.JournalSalvage)) != 2 || len(named(t, m, stateroot.JournalQuarantine)) != 2 {
		t.Error("files of the first are gone")
	}
}

// A salvage without enough room changes nothing, and says what is short.
func TestInstall_FullDisk(t *testing.T) {
	for name, full := range map[string]func(m *memfs.FS, room int64){
		"no free block": func(m *memfs.FS, room int64) { m.SetCapacity(m.Used() + room<<18) },
		"no free inode": func(m *memfs.FS, room int64) { m.SetInodes(m.Inodes() + room) },
	} {
		t.Run(name, func(t *testing.T) {
			_, m := grown(t)
			hollow(t, m)
			before := m.Dump()
			room := int64(0)
			for ; ; room++ {
				full(m, room)
				in, err := Install(m, theNode())
				if err == nil {
					if headOf(m) != in.Journal {
						t.Errorf("head file of %s, installed %s", headOf(m), in.Journal)
					}
					break
				}
				if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), stateroot.JournalSalvage) && !strings.Contains(err.Error(), stateroot.JournalHead) {
					t.Fatalf("room for %d: %v", room, err)
				}
				if !maps.Equal(m.Dump(), before) {
					t.Fatalf("room for %d: something was changed", room)
				}
			}
			if room < 8 {
				t.Errorf("room for %d was enough", room)
			}
		})
	}
}
