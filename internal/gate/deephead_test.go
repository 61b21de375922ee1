package gate

import (
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal"
)

// TestCrashHeadFirst: nothing is done to the disk while what the head file says
// is not durable. A record whose acknowledgement could still be lost with the
// power has nothing depending on it: no next record, no operation, no
// projection.
func TestCrashHeadFirst(t *testing.T) {
	for _, row := range crashRows() {
		t.Run(row.name, func(t *testing.T) {
			m := newMemNode(t)
			row.setup(m)
			m.disk.SyncAll()
			m.disk = m.disk.Clone()
			disk, seen := m.disk, 0
			disk.SetHook(func(op memfs.Op) error {
				switch {
				case !op.Mutates, op.Name == layout.Head, op.New == layout.Head,
					op.Kind == memfs.OpSyncDir && op.Name == "bootstrap":
					return nil // how the head file itself becomes durable
				}
				seen++
				lost, kept := heads(t, disk.Crash(memfs.Crash{Keep: memfs.None})), heads(t, disk.Crash(memfs.Crash{Keep: memfs.All}))
				if lost != kept {
					t.Errorf("%s %s comes while the head file says %v, and with the power gone %v", op.Kind, op.Name, kept, lost)
				}
				return nil
			})
			m.boot(row.exit)
			disk.SetHook(nil)
			if seen == 0 {
				t.Fatal("the boot changed nothing")
			}
		})
	}
}

// heads are the slots of a disk's head file.
func heads(t *testing.T, disk *memfs.FS) [2]journal.Slot {
	rep, err := journal.ReadHead(disk, layout)
	if err != nil {
		t.Error(err)
	}
	return rep.Slots
}

// TestCrashHeadSlotsAlternate: the slot that is written is never the one that
// holds the newest acknowledgement, so that a torn write costs none.
func TestCrashHeadSlotsAlternate(t *testing.T) {
	m := newMemNode(t)
	m.firstBoot()
	for i := range 4 {
		m.kernel += "+1"
		m.boot(ExitOK)
		s := heads(t, m.disk)
		older, newer := min(s[0].Tip.Seq, s[1].Tip.Seq), max(s[0].Tip.Seq, s[1].Tip.Seq)
		if s[0].State != journal.SlotGood || s[1].State != journal.SlotGood || newer != older+1 {
			t.Errorf("boot %d: the slots hold %+v", i, s)
		}
	}
}
