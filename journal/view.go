package journal

import (
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// View is a journal open for reading. Opening and reading it changes nothing
// and never waits for a writer. Its methods may be called from several
// goroutines.
//
// The records up to the base are read from Pebble, which is opened when it is
// first needed; those after it are in memory.
type View struct {
	fs     durable.FS
	l      Layout
	head   HeadReport
	found  Presence
	live   bool // opened by OpenLiveView: a gate may be writing
	closed bool

	id     uuid.UUID
	text   string // id as text
	tail   *tail
	frames []frame // the records after cut, in order
	next   int     // the block after the last frame
	end    end     // describes that block
	snap   []byte  // the snapshot of the newest header, nil if there is none

	cut     record.Tip // the newest record that is read from Pebble; those after it are frames
	tip     record.Tip // the newest record of the view
	unacked int        // the number of records after tip that the head file has not acknowledged

	mu      sync.Mutex
	settled *store.Store // nil until needed
}

// OpenView opens the journal for the holder of the gate's lock; others use
// OpenLiveView. The view ends at the last frame that verifies, whether the head
// file has acknowledged it or not; CheckHead judges that.
//
//	errs.ErrNotFound   there is no journal and no head file
//	ErrMissing         there is a head file but no journal
//	errs.ErrCorrupt    damaged
//	errs.ErrNewer      written by a newer version
func OpenView(fsys durable.FS, l Layout) (*View, error) {
	found, err := Inspect(fsys, l)
	if err != nil {
		return nil, err
	}
	if !found.Journal {
		if found.Head {
			return nil, &errs.Error{Kind: ErrMissing, Path: l.Dir, Detail: "open the journal, which " + l.Head + " refers to", Next: nextRestore}
		}
		return nil, &errs.Error{Kind: errs.ErrNotFound, Path: l.Dir, Detail: "open the journal", Next: nextNotThere}
	}
	// The head file is read first: on a live node it may then be behind the
	// journal, but never ahead of it.
	head, err := ReadHead(fsys, l)
	if err != nil {
		return nil, err
	}
	v := &View{fs: fsys, l: l, head: head, found: found}
	if v.tail, err = openTail(fsys, l); err == nil {
		err = v.load()
	}
	if err != nil {
		_ = v.Close() // the first error says what matters
		return nil, err
	}
	return v, nil
}

// load finds the base, reads the frames after it, and opens Pebble if something
// differs from the header.
func (v *View) load() error {
	t := v.tail
	if err := v.deriveHeader(); err != nil {
		return err
	}
	v.id, v.text = t.header.id, t.header.id.String()
	files, err := store.List(v.fs, v.l.Dir)
	if err != nil {
		return err
	}
	settled := t.header.base.Seq
	if v.settled != nil || !slices.Equal(files, t.header.files) {
		// A crash while settling can leave this.
		s, err := v.store()
		if err != nil {
			return err
		}
		settled = s.Last()
	}
	if v.frames, v.next, v.end, err = t.frames(v.text, settled); err != nil {
		return err
	}
	if v.snap, err = t.snapshot(); err != nil {
		return err
	}
	v.cut, v.tip = t.header.base, t.header.base
	if n := len(v.frames); n > 0 {
		v.tip = tipOf(&v.frames[n-1].rec)
	}
	if settled > t.header.base.Seq {
		return v.reconcile(settled)
	}
	return nil
}

func tipOf(r *record.Record) record.Tip { return record.Tip{Seq: r.Seq, Hash: r.Hash} }

// deriveHeader looks for a first frame of a newer generation than any good
// header. If the record before it has settled, the header was lost and the frame
// replaces it.
func (v *View) deriveHeader() error {
	t := v.tail
	p, raw, ok, err := t.frame(firstFrame)
	if err != nil {
		return err
	}
	if t.slot >= 0 && (!ok || p.generation <= t.header.generation) {
		return nil
	}
	lost := errs.Corrupt(t.path, 0, nil, "read the journal's tail: both headers are bad")
	if t.slot >= 0 {
		lost = errs.Corrupt(t.path, p.seq, nil, "read the journal's tail: its first frame is of generation %d, the newest header of %d", p.generation, t.header.generation)
	}
	if !ok {
		return lost
	}
	rec, err := record.Decode(raw)
	if err != nil || rec.Seq != p.seq {
		return lost
	}
	id, err := uuid.Parse(rec.Journal)
	if err != nil || t.slot >= 0 && id != t.header.id {
		return lost
	}
	base := record.Tip{Seq: p.seq - 1, Hash: rec.Prev}
	if base.Seq < t.header.base.Seq || base.Seq == 0 && !base.Hash.IsZero() {
		return lost
	}
	s, err := v.store()
	if err != nil {
		return err
	}
	if err := s.Holds(base); err != nil {
		return lost
	}
	t.header = header{id: id, length: int64(t.blocks) * blockSize, generation: p.generation, base: base}
	t.header.files, err = store.List(v.fs, v.l.Dir)
	t.slot, t.derived = 1-max(t.slot, 0), true // an older good header stays
	return err
}

// reconcile compares the frames with Pebble's copies of the same records. If
// Pebble holds more, the view continues with Pebble's.
func (v *View) reconcile(settled uint64) error {
	s, err := v.store()
	if err != nil {
		return err
	}
	for i := range v.frames {
		rec := &v.frames[i].rec
		if rec.Seq > settled {
			return nil
		}
		raw, err := s.Record(rec.Seq)
		if err != nil {
			return err
		}
		if record.HashOf(raw) != rec.Hash {
			return errs.Corrupt(v.l.Dir, rec.Seq, nil, "compare the tail with what has settled: they hold different records")
		}
	}
	if settled == v.tip.Seq {
		return nil
	}
	// All frames have settled: they are ignored.
	base := v.tail.header.base
	v.frames, v.next, v.cut = nil, firstFrame, record.Tip{Seq: settled}
	v.tip = v.cut
	for rec, err := range v.Records(base.Seq+1, settled) {
		if err != nil {
			return err
		}
		v.tip = tipOf(&rec)
	}
	v.cut = v.tip
	return nil
}

// store opens Pebble, once, and checks that it holds the base.
func (v *View) store() (s *store.Store, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.settled != nil {
		return v.settled, nil
	}
	open := func(bool) (*store.Store, error) {
		s, err := store.Open(v.fs, v.l.Dir)
		if err == nil {
			if err = s.Holds(v.tail.header.base); err == nil {
				return s, nil
			}
			_ = s.Close() // the first error says what matters
		}
		return nil, err
	}
	if v.live { // a gate may be settling
		v.settled, err = retry(v.fs, v.l, open)
	} else {
		v.settled, err = open(true)
	}
	return v.settled, err
}

// ID returns the journal's id, a UUIDv4 fixed by its first record.
func (v *View) ID() string { return v.text }

// Tip returns the newest record of the view.
func (v *View) Tip() record.Tip { return v.tip }

// Head returns the head file as it was when the view was opened.
func (v *View) Head() HeadReport { return v.head }

// TailUse is the use of a tail's room for records.
type TailUse struct {
	Records     int   `json:"records"`      // since the last settling
	UsedBytes   int64 `json:"used_bytes"`   // of the room for records
	FreeBytes   int64 `json:"free_bytes"`   // of the room for records
	SettlingDue bool  `json:"settling_due"` // the end of a run should have settled it
}

// Tail returns how much of the tail is used.
func (v *View) Tail() TailUse {
	u := TailUse{Records: len(v.frames), UsedBytes: int64(v.next-firstFrame) * blockSize, FreeBytes: int64(v.tail.blocks-v.next) * blockSize}
	u.SettlingDue = u.Records > settleAfter || u.UsedBytes > u.FreeBytes
	return u
}

// Close releases the view. Iterations must have ended.
func (v *View) Close() error {
	if v.closed {
		return nil
	}
	v.closed = true
	if v.tail != nil {
		_ = v.tail.f.Close() // nothing was written
	}
	if v.settled != nil {
		return v.settled.Close()
	}
	return nil
}
