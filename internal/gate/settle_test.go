package gate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// did gives the operations of a run on the disk, by kind.
func (m *memNode) did(run func()) (ops []memfs.Op) {
	m.disk.SetHook(func(op memfs.Op) error {
		ops = append(ops, op)
		return nil
	})
	run()
	m.disk.SetHook(nil)
	return ops
}

func count(ops []memfs.Op, kinds ...memfs.OpKind) (n int) {
	for _, op := range ops {
		if slices.Contains(kinds, op.Kind) {
			n++
		}
	}
	return n
}

// TestCleanBoot: a clean boot never opens Pebble, whatever has settled; it
// creates, renames and removes nothing; it makes two syncs. In a boot in which
// the gate ran before it also writes again, and syncs, what that run wrote, and
// the names of tail and head file.
func TestCleanBoot(t *testing.T) {
	createTails(t, realTail)
	updated := func(m *memNode) {
		for range 2 {
			m.kernel += "+1"
			m.boot(ExitOK)
		}
	}
	settled := func(m *memNode) {
		updated(m)
		m.cleanBoots(settlingDue)
		m.silent()
	}
	for name, lives := range map[string]func(m *memNode){
		"after the first run":      func(*memNode) {},
		"after updates":            updated,
		"after it settled":         settled,
		"some boots later":         func(m *memNode) { settled(m); m.silent(); m.silent() },
		"after it settled again":   func(m *memNode) { settled(m); m.cleanBoots(settlingDue); m.silent() },
		"after a compaction":       func(m *memNode) { updated(m); m.aged(); m.silent() },
		"salvaged":                 func(m *memNode) { salvagedAndPinned(m); settled(m) },
		"with a repaired evidence": func(m *memNode) { settled(m); m.put("epoch/current/evidence.json", nil); m.boot(ExitOK) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemNode(t)
			m.firstBoot()
			m.boot(ExitOK)
			lives(m)
			for _, c := range []struct {
				name  string
				boot  func() int
				syncs int
				opens int // of tail, head file, fingerprint, two evidences; for reading and for writing
			}{
				{"a boot", func() int { return m.precheck() }, 2, 7},
				{"another run", func() int { return m.again() }, 6, 7}, // two files and two folders more
			} {
				ops := m.did(func() {
					if exit := c.boot(); exit != ExitOK || m.logs.Len() > 0 {
						t.Fatalf("%s: exit %d\n%s", c.name, exit, m.logs.String())
					}
				})
				for _, op := range ops {
					if strings.HasSuffix(op.Name, ".sst") || strings.Contains(op.Name, "MANIFEST") || strings.Contains(op.Name, "marker.") {
						t.Errorf("%s: %s %s", c.name, op.Kind, op.Name)
					}
				}
				if n := count(ops, memfs.OpCreate, memfs.OpMkdir, memfs.OpRename, memfs.OpRemove, memfs.OpTruncate, memfs.OpPreallocate, memfs.OpChmod); n != 0 {
					t.Errorf("%s changes %d names or sizes", c.name, n)
				}
				if n := count(ops, memfs.OpSync, memfs.OpDatasync, memfs.OpSyncDir); n != c.syncs {
					t.Errorf("%s makes %d syncs", c.name, n)
				}
				if n := count(ops, memfs.OpOpen, memfs.OpOpenWrite); n > c.opens {
					t.Errorf("%s opens %d files", c.name, n)
				}
			}
		})
	}
}

// salvagedAndPinned has the gate salvage a journal whose id the config pins.
func salvagedAndPinned(m *memNode) {
	s := m.state()
	m.gateKeys("on_damage: salvage, journal_id: " + s.Journal)
	damages["tail gone"](m)
	m.boot(ExitOK)
	m.logged("edge.journal.salvaged")
}

// state is what the journal means.
func (m *memNode) state() machine.State {
	m.t.Helper()
	view, err := journal.OpenView(m.disk, layout)
	m.check(err)
	defer view.Close() //nolint:errcheck // read-only
	s, start, err := replay.State(view, view.Tip().Seq)
	m.check(err)
	if len(start.Ignored) > 0 {
		m.t.Fatal(start.Ignored)
	}
	return s
}

// newestEvents names the events after a record.
func (m *memNode) newestEvents(after uint64) string {
	m.t.Helper()
	all, err := records(m.t, m.disk)
	m.check(err)
	var kinds []string
	for _, raw := range all[after:] {
		_, kind, _ := strings.Cut(raw, `"type":"`)
		kind, _, _ = strings.Cut(kind, `"`)
		kinds = append(kinds, kind)
	}
	return strings.Join(kinds, " ")
}

// A run is killed when the tail says that it has settled, and no record says
// what the snapshot is: the next one does that first.
func TestSettle_KilledBeforeSnapshotTaken(t *testing.T) {
	for _, kept := range []memfs.Keep{memfs.None, memfs.All} {
		m := newMemNode(t)
		m.firstBoot()
		m.cleanBoots(settlingDue)
		// The boot's record, the snapshot, the header; then that record.
		m.disk = m.loses(func(op memfs.Op) bool { return op.Kind == memfs.OpWrite && op.Name == "journal/tail" }, 4).Crash(memfs.Crash{Keep: kept})
		m.unsettled(0)
		tip := headSeq(t, m.disk)
		m.silent()
		if got := m.newestEvents(tip); got != "SnapshotTaken FingerprintCaptured" {
			t.Errorf("events %s", got)
		}
		m.snapshotUsed(tip)
		m.silent()
	}
}

// snapshotUsed requires that a boot folds from the snapshot of that record.
func (m *memNode) snapshotUsed(seq uint64) {
	m.t.Helper()
	view, err := journal.OpenView(m.disk, layout)
	m.check(err)
	defer view.Close() //nolint:errcheck // read-only
	if _, start, err := replay.State(view, view.Tip().Seq); err != nil || start.Snapshot != seq || len(start.Ignored) > 0 {
		m.t.Errorf("folded from %+v, %v; want the snapshot of record %d", start, err, seq)
	}
}

// The tail settles in the middle of a run when the next record does not fit,
// and the run goes on.
func TestSettle_Underway(t *testing.T) {
	for room := range 10 {
		m := newMemNode(t)
		m.firstBoot()
		m.fill(room)
		tip := headSeq(t, m.disk)
		m.kernel += "+1"
		m.boot(ExitOK)
		m.logged("edge.os.reconstruction_completed", "boot_epoch=1")
		// Six events of the reconstruction, and where the tail settled.
		events := strings.Fields(m.newestEvents(tip))
		if at := slices.Index(events, string(machine.KindSnapshotTaken)); len(events) != 7 || at != min(room, 6) {
			t.Errorf("room for %d: %v", room, events)
		}
		m.snapshotUsed(tip + uint64(min(room, 6)))
		m.silent()
	}
}

// SnapshotTaken never raises the time floor: a run that fails in the year 2099
// and settles leaves the floor unchanged, and so does one that vouches for
// the snapshot of a run that was cut short.
func TestSettle_NoTimeFloor(t *testing.T) {
	wrong := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	t.Run("a run that fails, and settles", func(t *testing.T) {
		m := newMemNode(t)
		m.firstBoot()
		m.cleanBoots(settlingDue)
		tip, now := headSeq(t, m.disk), m.now
		m.now = wrong
		m.boot(ExitCertificate)
		if got := m.newestEvents(tip); got != "PrecheckFailed SnapshotTaken" {
			t.Fatalf("events %s", got)
		}
		m.now = now
		m.silent() // no word of a clock below the floor
	})
	t.Run("a run that vouches, and fails", func(t *testing.T) {
		m := newMemNode(t)
		m.firstBoot()
		m.cleanBoots(settlingDue)
		m.disk = m.loses(func(op memfs.Op) bool { return op.Kind == memfs.OpWrite && op.Name == "journal/tail" }, 4).Crash(memfs.Crash{Keep: memfs.None})
		tip, now := headSeq(t, m.disk), m.now
		m.now = wrong
		m.boot(ExitCertificate)
		if got := m.newestEvents(tip); got != "SnapshotTaken PrecheckFailed" {
			t.Fatalf("events %s", got)
		}
		m.now = now
		m.silent()
	})
}

// SnapshotTaken never ends a run: one that settles in the middle and is killed
// then has not ended.
func TestSettle_EndsNoRun(t *testing.T) {
	m := newMemNode(t)
	m.firstBoot()
	m.fill(3)
	m.kernel += "+1"
	// Three records, the snapshot, the header, SnapshotTaken, and the power goes.
	m.disk = m.loses(func(op memfs.Op) bool { return op.Kind == memfs.OpWrite && op.Name == "journal/tail" }, 7).Crash(memfs.Crash{Keep: memfs.All})
	s := m.state()
	if s.Run.Ended || s.Open == nil || s.Phase != machine.PhaseVerified {
		t.Errorf("phase %s, run %+v", s.Phase, s.Run)
	}
	m.boot(ExitOK)
	m.logged("edge.os.reconstruction_started", "resumed=true")
	m.logged("boot_epoch=1")
}

// A forged snapshot is ignored and reported, in the tail's area, in Pebble, and
// in both: the node keeps its key and its serial.
func TestSettle_ForgedSnapshot(t *testing.T) {
	for name, forge := range map[string]func(m *memNode){
		"in both": func(m *memNode) { forgeSnapshot(t, m.disk) },
		"in Pebble": func(m *memNode) { // that in the tail is lost
			forgeSnapshot(t, m.disk)
			m.tail(func(data []byte) {
				for _, n := range historytest.Blocks(data) {
					if n >= 2 && n < historytest.FirstFrame {
						data[n*historytest.BlockLen+5] ^= 1
					}
				}
			})
		},
		"in the tail": func(m *memNode) {
			m.cleanBoots(settlingDue)
			m.silent()
			m.tail(func(data []byte) { forgeInTail(t, data) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemNode(t)
			m.firstBoot()
			m.sign(strings.Replace(twoOperations, `"version"`, `"serial":7,"version"`, 1))
			m.kernel += "+1"
			m.boot(ExitOK)
			honest := m.state()
			forge(m)
			m.boot(ExitOK)
			m.logged("level=WARN", "edge.journal.snapshot_ignored", "does not vouch for it", "verify --deep")
			// A manifest of a lower serial is refused as before, and that run settles.
			m.cleanBoots(settlingDue)
			m.sign(strings.Replace(twoOperations, `"version"`, `"serial":6,"version"`, 1))
			m.kernel += "+2"
			m.boot(ExitReconstruction)
			m.logged("level=ERROR", "serial")
			m.sign(strings.Replace(twoOperations, `"version"`, `"serial":8,"version"`, 1))
			m.boot(ExitOK)
			m.silent()
			if s := m.state(); s.Keys.Manifest != honest.Keys.Manifest || *s.Serial != 8 || s.Epoch != 2 {
				t.Errorf("key %s, serial %d, epoch %d", s.Keys.Manifest, *s.Serial, s.Epoch)
			}
		})
	}
}
