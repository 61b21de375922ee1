package journal

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/durable"
)

// TestUnrested: a journal that a crash left tells by a name of its own that it
// had a log, where neither the log nor the head file is there to tell.
func TestUnrested(t *testing.T) {
	m, _ := logged(t, 4)
	if _, err := m.Lstat("journal/" + appendingName); err != nil {
		t.Fatalf("beside a log: %v", err)
	}
	head := DefaultLayout().Head
	log := theFile(t, m, suffix(".log"))

	d := m.Clone()
	noErr(t, d.Remove(head))
	noErr(t, d.Remove(log))
	refuse(t, d, ErrRolledBack)

	// One of the two is enough to go on, or to tell.
	d = m.Clone()
	noErr(t, d.Remove(head))
	noErr(t, run(d, 1, func(Tip) {}))
	d = m.Clone()
	noErr(t, d.Remove(log))
	refuse(t, d, ErrRolledBack)

	// At rest there is no such name, and the journal alone goes on.
	noErr(t, run(m, 1, func(Tip) {}))
	if _, err := m.Lstat("journal/" + appendingName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("at rest: %v", err)
	}
	noErr(t, m.Remove(head))
	noErr(t, run(m, 1, func(Tip) {}))
}

// TestWithoutHeadAllIsVerified: where no head file vouches for the newest
// records, not only they are verified.
func TestWithoutHeadAllIsVerified(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 6)
	v := must[*View](t)(OpenView(m, DefaultLayout()))
	rec := must[Record](t)(v.Record(2))
	noErr(t, v.Close())
	e := entry(2)
	e.Node = "another"
	raw := must[[]byte](t)(Encode(rec.Journal, 2, rec.Prev, e))
	tamper(t, m, func(b *pebble.Batch) { noErr(t, b.Set(recordKey(2), raw, nil)) })
	check := func(d durable.FS) error {
		v := must[*View](t)(OpenView(d, DefaultLayout()))
		defer v.Close()
		_, err := v.CheckHead(nil)
		return err
	}
	noErr(t, check(m)) // the head file names the newest record, which links to the one before
	noErr(t, m.Remove(DefaultLayout().Head))
	if err := check(m); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without a head file: %v", err)
	}
}
