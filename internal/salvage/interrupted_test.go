package salvage

import (
	"errors"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
)

// cutShort returns a disk on which a salvage was killed after moving the damaged journal
// away and before putting the new one in its place.
func cutShort(t *testing.T, m *memfs.FS, req Request) {
	t.Helper()
	killed := errors.New("killed")
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRename && op.Name != stateroot.Journal && op.New == stateroot.Journal {
			return killed
		}
		return nil
	})
	if _, err := Install(m, req); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	m.SetHook(nil)
	if _, err := m.Lstat(stateroot.Journal); err == nil {
		t.Fatal("the journal is still there")
	}
}

// wholeSalvage requires that in carries what the records of grown prove.
func wholeSalvage(t *testing.T, in Installed) {
	t.Helper()
	if in.Event.Size != grownRecords || in.Event.Serial == nil || *in.Event.Serial != 7 || in.Event.ManifestKey == "" || in.Quarantine == "" {
		t.Errorf("%+v", in)
	}
}

// Examine, called in between, returns what the next installation writes.
func TestExamine_CutShort(t *testing.T) {
	_, m := grown(t)
	cutShort(t, m, theNode())
	e, kept, err := examine(t, m, theNode())
	check(t, err)
	if len(kept) != grownRecords || e.ManifestKey == "" {
		t.Errorf("%d records, %+v", len(kept), e)
	}
	in, err := Install(m, theNode())
	check(t, err)
	wholeSalvage(t, in)
}

// An earlier salvage has a later name, because the clock was ahead. Its files are not
// mistaken for those of the interrupted one.
func TestInstall_ClockBehind(t *testing.T) {
	h, m := grown(t)
	ahead := theNode()
	ahead.Now = ahead.Now.AddDate(70, 0, 0)
	first, err := Install(m, ahead)
	check(t, err)
	cutShort(t, m, theNode())
	second, err := Install(m, theNode())
	check(t, err)
	if second.Event.Predecessor != first.Journal || second.Event.Size != 1 || second.Event.ManifestKey != first.Event.ManifestKey ||
		len(second.Event.Ancestors) != 1 || second.Event.Ancestors[0] != h.State.Journal {
		t.Errorf("%+v", second)
	}
	if got := get(t, m, first.Kept); got == "" {
		t.Error("the first one's records are gone")
	}
}

// The preparation is damaged after the crash: the old journal still has every record.
func TestInstall_PreparationDamaged(t *testing.T) {
	_, m := grown(t)
	cutShort(t, m, theNode())
	work := named(t, m, stateroot.JournalSalvage)[0]
	put(t, m, work+"/"+stateroot.PredecessorRecords, "rot")
	entries, err := m.ReadDir(work + "/" + stateroot.Journal)
	check(t, err)
	for _, e := range entries {
		check(t, m.Remove(work+"/"+stateroot.Journal+"/"+e.Name))
	}
	in, err := Install(m, theNode())
	check(t, err)
	wholeSalvage(t, in)
	if works := named(t, m, stateroot.JournalSalvage); len(works) != 1 {
		t.Errorf("preparations pile up: %v", works)
	}
}

// A salvage is killed before it touches the journal, which is repaired and grows. When the
// journal is lost later, that preparation is out of date.
func TestInstall_PreparationOutOfDate(t *testing.T) {
	h, m := grown(t)
	killed := errors.New("killed")
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRename && op.Name == stateroot.Journal {
			return killed
		}
		return nil
	})
	if _, err := Install(m, theNode()); !errors.Is(err, killed) {
		t.Fatal(err)
	}
	m.SetHook(nil)
	works := named(t, m, stateroot.JournalSalvage)
	h.Reconstruct("ID=c\n", 30)
	h.Publish()
	later := disk(t, h.Dir)
	for _, work := range works {
		copyTree(t, later, m, work)
	}
	check(t, durable.RemoveAll(later, stateroot.Journal))
	in, err := Install(later, theNode())
	check(t, err)
	if in.Event.Epoch != 2 || in.Event.Serial == nil || *in.Event.Serial != 30 || in.Quarantine != "" {
		t.Errorf("%+v", in)
	}
}

func copyTree(t *testing.T, to, from durable.FS, dir string) {
	t.Helper()
	check(t, durable.MkdirAll(to, dir, 0o750))
	entries, err := from.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		name := dir + "/" + e.Name
		if e.Mode.IsDir() {
			copyTree(t, to, from, name)
			continue
		}
		data, _, err := durable.ReadFile(from, name, 16<<20)
		check(t, err)
		check(t, durable.WriteFile(to, name, data, 0o640))
	}
}

// The clock shows the time of an earlier salvage.
func TestInstall_SameTime(t *testing.T) {
	_, m := grown(t)
	first, err := Install(m, theNode())
	check(t, err)
	second, err := Install(m, theNode())
	check(t, err)
	if first.Kept == second.Kept || first.Quarantine == second.Quarantine {
		t.Errorf("%+v, %+v", first, second)
	}
}

// A journal of one salvage record whose head file names other records was not made here: its
// head file is not reset.
func TestInstall_NotMadeHere(t *testing.T) {
	_, m := grown(t)
	elsewhere := disk(t, t.TempDir())
	plan, err := Examine(m, theNode(), func([]byte) error { return nil })
	check(t, err)
	_, err = plan.Write(elsewhere)
	check(t, err)
	check(t, durable.RemoveAll(m, stateroot.Journal))
	copyTree(t, m, elsewhere, stateroot.Journal)
	in, err := Install(m, theNode())
	check(t, err)
	if in.Resumed || in.Event.HeadSeq != grownRecords || in.Quarantine == "" {
		t.Errorf("%+v", in)
	}
	if _, err := journal.ReadHead(m, journal.DefaultLayout()); err != nil {
		t.Error(err)
	}
}

// Something that is no regular file in the place of the head file is damage: it is moved
// into the preparation's directory.
func TestInstall_HeadMisplaced(t *testing.T) {
	for name, plant := range map[string]func(m *memfs.FS) error{
		"FIFO":      func(m *memfs.FS) error { return m.PlantFIFO(stateroot.JournalHead) },
		"directory": func(m *memfs.FS) error { return durable.MkdirAll(m, stateroot.JournalHead+"/x", 0o750) },
	} {
		t.Run(name, func(t *testing.T) {
			_, m := grown(t)
			check(t, m.Remove(stateroot.JournalHead))
			check(t, plant(m))
			m.SyncAll()
			counted := m.Clone()
			first := counted.Ops()
			in, err := Install(counted, theNode())
			check(t, err)
			total := counted.Ops() - first
			if in.Event.Size != grownRecords || headOf(counted) != in.Journal {
				t.Errorf("%+v, head file of %s", in, headOf(counted))
			}
			for n := 1; n <= total; n += every(5) {
				after := losesPower(m, n).Crash(memfs.Crash{Keep: memfs.Random, Seed: uint64(n)})
				in, err := again(t, after)
				if err != nil || in.Event.Size != grownRecords || headOf(after) != in.Journal {
					t.Fatalf("operation %d of %d: %v, %+v", n, total, err, in)
				}
			}
		})
	}
}

// Names that only look like a salvage's are left alone.
func TestInstall_KeepsNotes(t *testing.T) {
	_, m := grown(t)
	kept := []string{stateroot.JournalSalvage + "notes.txt", stateroot.JournalSalvage + "node-12/notes.txt"}
	check(t, m.Mkdir(stateroot.JournalSalvage+"node-12", 0o750))
	for _, name := range kept {
		put(t, m, name, "disk ordered")
	}
	_, err := Install(m, theNode())
	check(t, err)
	for _, name := range kept {
		if get(t, m, name) != "disk ordered" {
			t.Errorf("%s is gone", name)
		}
	}
}
