package journal

import (
	"context"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/durable"
)

// Writer is a journal open for appending. One goroutine uses it at a time,
// under the gate's lock.
//
// After any fault it is poisoned: what is on disk is as if the power had been
// cut at that moment, and every later call returns the first error. To go on,
// for instance after space was freed, Close it and open the journal again,
// from OpenView on.
type Writer struct {
	reader
	head   *headWriter // nil without a head file
	snap   *snapshot   // saved by Close
	wrote  bool        // appended to since it was opened
	err    error       // the first fault
	closed bool
}

// OpenWriter goes on from a view that CheckHead has accepted, and carries out
// its action. The view is closed, whatever the outcome.
func OpenWriter(fsys durable.FS, l Layout, v *View, act HeadAction) (*Writer, error) {
	if err := v.Close(); err != nil {
		return nil, err
	}
	if err := discard(fsys, v.found); err != nil {
		return nil, err
	}
	w := &Writer{reader: reader{l: l, s: newStore(fsys, false), id: v.id, text: v.text, tip: v.tip}}
	if err := w.open(); err != nil {
		return nil, err
	}
	err := w.loadHead()
	if err == nil && (w.tip != v.tip || w.id != v.id) {
		err = corrupt(l.Dir, w.tip.Seq, nil, "open the journal for appending: it changed after it was checked")
	}
	if err == nil && l.Head != "" {
		err = w.openHead(fsys, v.head, act)
	}
	if err != nil {
		w.poison(err)
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// openHead opens the head file for writing, after mending it as act says.
func (w *Writer) openHead(fsys durable.FS, found HeadReport, act HeadAction) error {
	newest, ok := found.Newest()
	switch {
	case act.Step == HeadRewrite && !ok:
		if err := writeHead(fsys, w.l, w.id, w.tip); err != nil {
			return err
		}
		newest = Slot{State: SlotGood, Tip: w.tip}
		found.Slots = [2]Slot{newest, newest}
	case act.Step == HeadNone && newest.Tip != w.tip, !ok:
		return invalid(w.tip.Seq, nil, "open the journal for appending: the action is not CheckHead's for this view")
	}
	f, err := fsys.OpenWrite(w.l.Head)
	if err != nil {
		return ioError("open the head file", w.l.Head, err)
	}
	w.head = &headWriter{f: f, path: w.l.Head, id: w.id}
	if found.Slots[0].State == SlotGood && found.Slots[0].Tip == newest.Tip {
		w.head.next = 1
	}
	if act.Step != HeadNone && ok {
		return w.head.write(w.tip)
	}
	return nil
}

// Append writes the event as the next record, together with the head inside
// Pebble, and then the head file. When it returns without an error the record
// is acknowledged: nothing may depend on it before. An entry that cannot
// become a record (ErrTooLarge, ErrInvalid) leaves the writer as it was; any
// other error poisons it; whether the record is there is then told by opening
// the journal again.
func (w *Writer) Append(e Entry) (Record, error) {
	recs, err := w.AppendBatch([]Entry{e})
	if err != nil {
		return Record{}, err
	}
	return recs[0], nil
}

// AppendBatch appends several events, at least one, with the syncs of one. A
// crash keeps all of them or none.
func (w *Writer) AppendBatch(entries []Entry) ([]Record, error) {
	if w.err != nil {
		return nil, w.err
	}
	if w.closed {
		return nil, &Error{Kind: ErrClosed, Path: w.l.Dir, Detail: "append", Next: nextDevelop}
	}
	if len(entries) == 0 {
		return nil, invalid(0, nil, "append: no entries")
	}
	recs := make([]Record, len(entries))
	tip := w.tip
	b := w.db.NewBatch()
	for i, e := range entries {
		raw, err := Encode(w.text, tip.Seq+1, tip.Hash, e)
		if err != nil {
			_ = b.Close()
			return nil, err
		}
		if err := decodeInto(raw, &recs[i]); err != nil {
			_ = b.Close()
			return nil, err
		}
		tip = Tip{tip.Seq + 1, recs[i].Hash}
		if err := setRecord(b, w.id, tip, raw); err != nil {
			_ = b.Close()
			return nil, w.poison(ioError("append", w.l.Dir, err))
		}
	}
	w.wrote = true
	err := w.s.fault.run("append", w.l.Dir, func() error { return b.Commit(pebble.Sync) })
	if err == nil && w.head != nil {
		err = w.head.write(tip)
	}
	if err != nil {
		return nil, w.poison(err)
	}
	w.tip = tip
	return recs, nil
}

// poison keeps the first fault and keeps Pebble from writing on.
func (w *Writer) poison(err error) error {
	if w.err == nil {
		w.err = err
		w.s.fault.record("append", w.l.Dir, err)
	}
	return w.err
}

// Close brings every record into tables, compacts the newest tables when
// there are many, and releases the journal. A record that Append returned is
// safe whatever Close returns. On a poisoned writer it releases what it can
// and returns the first error.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if w.err == nil {
		if err := w.rest(); err != nil {
			_ = w.poison(err)
		}
	}
	w.s.seal()
	if err := w.closeDB(); err != nil {
		_ = w.poison(err)
	}
	if w.err == nil {
		// Everything is in tables. Pebble keeps logs to write over them.
		if err := w.s.removeLogs(w.l.Dir); err != nil {
			_ = w.poison(ioError("remove a log of the journal", w.l.Dir, err))
		}
	}
	if w.head != nil {
		if err := w.head.f.Close(); err != nil {
			_ = w.poison(ioError("close the head file", w.l.Head, err))
		}
	}
	return w.err
}

// rest flushes to tables, with the snapshot, and compacts.
func (w *Writer) rest() error {
	return w.s.fault.run("bring the journal to rest", w.l.Dir, func() error {
		w.s.seal()
		saved, err := w.putSnapshot()
		if err != nil {
			return err
		}
		if !w.wrote && !saved {
			return nil
		}
		if err := w.db.Flush(); err != nil {
			return err
		}
		if w.s.fault.happened() || w.db.Metrics().Levels[0].TablesCount < maxL0 {
			return nil
		}
		// Every new table reaches up to the head key, and of the old ones only
		// the last does.
		return w.db.Compact(context.Background(), []byte(headKey), []byte(endOfKeys), false)
	})
}
