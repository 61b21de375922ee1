package journal

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// open opens the journal for appending in a new boot.
func open(t testing.TB, fsys durable.FS) *gate {
	t.Helper()
	g := &gate{boot: newBoot()}
	noErr(t, g.open(fsys))
	return g
}

func TestAppend(t *testing.T) {
	m := newRoot(t)
	boot(t, m)
	w := open(t, m).w
	first := must[record.Record](t)(w.Append(entryOf("b", "Tested", 3)))
	if w.Tip() != tipOf(&first) || first.Seq != 2 {
		t.Errorf("appended %+v, tip %v", first, w.Tip())
	}
	// An entry that cannot become a record leaves the writer unchanged.
	big := entryOf("b", "Tested", 1)
	big.Data = fmt.Appendf(nil, `{"a":%q}`, strings.Repeat("x", record.MaxLen))
	if _, err := w.Append(big); !errors.Is(err, errs.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if _, err := w.Append(record.Entry{}); !errors.Is(err, errs.ErrInvalid) {
		t.Errorf("nothing: %v", err)
	}
	rec := must[record.Record](t)(w.Append(entryOf("b", "Tested", 1)))
	if rec.Seq != 3 || rec.Prev != first.Hash {
		t.Errorf("after a refusal: %+v", rec)
	}
	if got := must[record.Record](t)(w.Record(2)); got.Hash != first.Hash {
		t.Error("the record that it reads differs from the one it wrote")
	}
	for _, seq := range []uint64{0, 4} {
		if _, err := w.Record(seq); !errors.Is(err, errs.ErrNotFound) {
			t.Errorf("record %d: %v", seq, err)
		}
	}
	noErr(t, w.Close())
	noErr(t, w.Close())
	if _, err := w.Append(entryOf("b", "Tested", 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := w.Settle(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("settle after close: %v", err)
	}
}

// TestLargestRecord: a record of 65,535 bytes fits into the smallest tail.
func TestLargestRecord(t *testing.T) {
	m := newRoot(t)
	boot(t, m)
	settled(t, m)
	e := entryOf("b", "Tested", 1)
	for n := record.MaxLen; ; n-- { // the envelope takes some of it
		e.Data = fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("x", n))
		if raw, err := record.Encode(testJournal, 3, record.Hash{}, e); err == nil {
			if len(raw) != record.MaxLen {
				t.Fatalf("%d bytes", len(raw))
			}
			break
		}
	}
	w := open(t, m).w
	rec := must[record.Record](t)(w.Append(e))
	if use := w.Tail(); len(rec.Raw) != record.MaxLen || use.FreeBytes != 0 || !use.SettlingDue {
		t.Errorf("%d bytes, %+v", len(rec.Raw), use)
	}
	if _, err := w.Append(e); !errors.Is(err, ErrTailFull) {
		t.Errorf("a full tail: %v", err)
	}
	noErr(t, w.Close())
	boot(t, m, maxParts)
	if recs := history(t, m); recs[2].Seq != 3 || len(recs[2].Raw) != record.MaxLen {
		t.Errorf("%d records", len(recs))
	}
}

// TestNothingAppended: opening a journal for appending and closing it changes
// nothing.
func TestNothingAppended(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	settled(t, m, 2)
	before := m.Dump()
	noErr(t, open(t, m).w.Close())
	after := m.Dump()
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s: %s, was %s", name, after[name], was)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, there were %d", len(after), len(before))
	}
}

// TestAppendWritesInPlace: an append creates, grows, renames and removes
// nothing, and syncs twice; a boot that appends opens no file of Pebble's.
func TestAppendWritesInPlace(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	settled(t, m, 1)
	m.SetCapacity(m.Used())
	m.SetInodes(m.Inodes())
	var ops []string
	m.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			ops = append(ops, fmt.Sprint(op.Kind, " ", op.Name))
		}
		if strings.Contains(op.Name, "MANIFEST") || strings.HasSuffix(op.Name, ".sst") {
			t.Errorf("%s %s", op.Kind, op.Name)
		}
		return nil
	})
	boot(t, m, 2)
	want := "[write journal/tail datasync journal/tail write bootstrap/journal_head datasync bootstrap/journal_head]"
	if got := fmt.Sprint(ops); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPoisoned: after a fault every call returns it, and the disk stays as it was at
// the fault. Opening again succeeds.
func TestPoisoned(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	w := open(t, m).w
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	_, err := w.Append(entryOf("b", "Tested", 1))
	if !errors.Is(err, errs.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	m.SetHook(nil)
	if _, again := w.Append(entryOf("b", "Tested", 1)); again != err {
		t.Errorf("append again: %v", again)
	}
	if again := w.Settle(nil); again != err {
		t.Errorf("settle: %v", again)
	}
	for range 2 {
		if again := w.Close(); again != err {
			t.Errorf("close: %v", again)
		}
	}
	if g := boot(t, m, 1); g.w.Tip().Seq != 3 {
		t.Errorf("continues at %d", g.w.Tip().Seq)
	}
}

// TestUnsettled: a settling that fails because of the disk does not fail the run
// while the tail has room. It leaves no file, and the next settling succeeds.
func TestUnsettled(t *testing.T) {
	failures := map[string]func(m *memfs.FS){
		"no blocks":                 func(m *memfs.FS) { m.SetCapacity(m.Used() + settleBytes) },
		"no inodes":                 func(m *memfs.FS) { m.SetInodes(m.Inodes() + settleInodes - 1) },
		"the free space is unknown": func(m *memfs.FS) { m.SetHook(refuse(memfs.OpFreeSpace, "", syscall.EIO)) },
		"read-only":                 func(m *memfs.FS) { m.SetHook(refuse(memfs.OpCreate, "journal/", syscall.EROFS)) },
		"no room in a table": func(m *memfs.FS) {
			m.SetHook(refuse(memfs.OpWrite, ".sst", syscall.ENOSPC))
		},
		"a failing manifest": func(m *memfs.FS) { m.SetHook(refuse(memfs.OpSync, "MANIFEST", syscall.EIO)) },
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			m := newRoot(t)
			boot(t, m, 1, 1)
			settled(t, m, 1)
			files := fmt.Sprint(names(t, m))
			for range 8 {
				g := &gate{boot: newBoot(), sizes: []int{1}, settle: true}
				d := m.Clone()
				fail(d)
				noErr(t, g.run(d))
				if !errors.Is(g.unsettled, ErrUnsettled) || errors.Is(g.unsettled, errs.ErrCorrupt) {
					t.Fatalf("got %v", g.unsettled)
				}
				m = d.Clone()
				if n := len(names(t, m)); n > 16 {
					t.Fatalf("journal/ holds %q", names(t, m))
				}
			}
			if got := fmt.Sprint(names(t, m)); got != files && name != "no room in a table" {
				t.Errorf("journal/ holds %s, before %s", got, files)
			}
			m.SetCapacity(-1)
			m.SetInodes(-1)
			settled(t, m, 1)
			settled(t, m, 1)
			noErr(t, tidy(m))
		})
	}
}

// refuse returns a hook: operations of this kind on a name that contains substr fail.
func refuse(kind memfs.OpKind, substr string, err error) func(memfs.Op) error {
	return func(op memfs.Op) error {
		if op.Kind == kind && strings.Contains(op.Name, substr) {
			return err
		}
		return nil
	}
}

// TestFullAndUnsettled: a full tail that cannot settle ends the run. After space is
// freed the next run succeeds.
func TestFullAndUnsettled(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 8)
	m.SetInodes(m.Inodes())
	g := &gate{boot: newBoot(), sizes: []int{5, 5}}
	if err := g.run(m); !errors.Is(err, ErrUnsettled) || !errors.Is(err, errs.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	m.SetInodes(-1)
	boot(t, m, 5, 5)
	if recs := history(t, m); len(recs) != 7 || recs[2].BootID != g.boot {
		t.Errorf("%d records", len(recs))
	}
}

// TestSettlingMeetsDamage: damage that a settling finds is reported as damage, and
// neither the tail nor the tables change.
func TestSettlingMeetsDamage(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	settled(t, m, 1)
	boot(t, m, 1)
	for _, part := range []string{".sst", "MANIFEST-", "marker.manifest."} {
		d := m.Clone()
		for _, n := range names(t, d) {
			if strings.Contains(n, part) {
				noErr(t, d.Remove("journal/"+n))
			}
		}
		// The view was opened before the damage.
		v := must[*View](t)(OpenView(m, small))
		v.fs = d
		w := must[*Writer](t)(OpenWriter(v, HeadAction{}, newBoot()))
		before := d.Dump()
		if err := w.Settle([]byte("state")); !errors.Is(err, errs.ErrCorrupt) || errors.Is(err, ErrUnsettled) {
			t.Errorf("without %s: %v", part, err)
		}
		if after := d.Dump(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("without %s: the disk was changed", part)
		}
		_ = w.Close()
	}
}

// TestOpenWriterFails: if the tail or the head file cannot be opened for writing,
// OpenWriter fails and leaves nothing open.
func TestOpenWriterFails(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	for _, name := range []string{tailFile, headFile} {
		m.SetHook(refuse(memfs.OpOpenWrite, name, syscall.EROFS))
		g := &gate{boot: newBoot(), sizes: []int{1}}
		if err := g.run(m); !errors.Is(err, errs.ErrIO) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
