package journal

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// Writer is a journal open for appending. One goroutine uses it at a time,
// under the gate's lock.
//
// A failed write poisons it: the disk is as if the power had been cut at that
// moment, and every later call returns the first error.
type Writer struct {
	v      *View
	f      durable.File // the tail
	head   *headWriter  // nil without a head file
	acked  record.Tip   // the newest acknowledged record
	err    error        // the first fault
	closed bool
}

// OpenWriter continues from a view that CheckHead has accepted with act. It takes
// the view over, and closes it if it fails. bootID is that of the running boot.
//
// Writes of an earlier run of the same boot may be readable although no disk
// holds them: that run was killed before its sync, or its sync failed. So if the
// tail's newest record is of this boot, or the tail holds no record, OpenWriter
// writes the header, the frames from the head on and the newest slot again,
// unchanged, and syncs them and the names of both files. Apart from that, a slot
// is written only for a record that this run appends.
func OpenWriter(v *View, act HeadAction, bootID string) (*Writer, error) {
	w := &Writer{v: v}
	if err := w.open(act, bootID); err != nil {
		_ = w.poison(err)
		_ = w.Close() // the first error matters
		return nil, err
	}
	return w, nil
}

func (w *Writer) open(act HeadAction, bootID string) error {
	v := w.v
	var err error
	if w.f, err = v.fs.OpenWrite(v.tail.path); err != nil {
		return errs.Of("open the journal's tail", v.tail.path, err)
	}
	if err := w.openHead(); err != nil {
		return err
	}
	n := len(v.frames)
	if n == 0 || v.frames[n-1].rec.BootID == bootID || v.tail.derived {
		if err := w.writeAgain(); err != nil {
			return err
		}
	}
	if w.head != nil && v.head.newest() < 0 {
		if err := w.repairHead(); err != nil {
			return err
		}
	}
	if v.cut.Seq == v.tail.header.base.Seq {
		return nil
	}
	// The tip has settled and the header does not name it: an appended frame
	// would follow a frame that is not there.
	return w.startGeneration(nil)
}

func (w *Writer) openHead() error {
	v := w.v
	if v.l.Head == "" {
		return nil
	}
	w.head = &headWriter{path: v.l.Head, id: v.id}
	newest := v.head.newest()
	if newest >= 0 {
		w.head.next = 1 - newest
		w.acked = v.head.Slots[newest].Tip
	}
	if !v.head.Present {
		return nil // repairHead creates it
	}
	var err error
	if w.head.f, err = v.fs.OpenWrite(v.l.Head); err != nil {
		return errs.Of("open the head file", v.l.Head, err)
	}
	return nil
}

// writeAgain writes everything again, unchanged, that an earlier run of this
// boot may have left only in the page cache. It also writes a header that was lost.
func (w *Writer) writeAgain() error {
	v, t := w.v, w.v.tail
	if _, err := w.f.WriteAt(t.header.encode(t.slot), int64(t.slot)*blockSize); err != nil {
		return errs.Of("write the journal's tail", t.path, err)
	}
	for i := range v.frames {
		if f := &v.frames[i]; f.rec.Seq >= w.acked.Seq {
			if err := w.writeFrame(f); err != nil {
				return err
			}
		}
	}
	if err := w.syncTail(); err != nil {
		return err
	}
	if err := v.fs.SyncDir(path.Dir(v.l.Dir)); err != nil {
		return errs.Of("sync the journal's name", v.l.Dir, err)
	}
	if w.acked.Seq == 0 {
		return nil // there is no good slot
	}
	if err := w.head.put(1-w.head.next, w.acked); err != nil {
		return err
	}
	if err := w.head.sync(); err != nil {
		return err
	}
	if err := v.fs.SyncDir(path.Dir(v.l.Head)); err != nil {
		return errs.Of("sync the head file's name", v.l.Head, err)
	}
	return nil
}

// repairHead writes both slots, because neither is good. It writes in place; an
// absent file is created.
func (w *Writer) repairHead() error {
	v := w.v
	if w.head.f == nil {
		if err := createHead(v.fs, v.l, v.id, v.tip); err != nil {
			return err
		}
		var err error
		if w.head.f, err = v.fs.OpenWrite(v.l.Head); err != nil {
			return errs.Of("open the head file", v.l.Head, err)
		}
	} else {
		for range 2 {
			if err := w.head.write(v.tip); err != nil {
				return err
			}
		}
	}
	w.acked = v.tip
	return nil
}

func (w *Writer) writeFrame(f *frame) error {
	b := encodeFrame(w.v.tail.header.generation, f.rec.Seq, f.rec.Hash, f.rec.Raw, f.block)
	if _, err := w.f.WriteAt(b, int64(f.block)*blockSize); err != nil {
		return errs.Of("write the journal's tail", w.v.tail.path, err)
	}
	return nil
}

func (w *Writer) syncTail() error {
	if err := w.f.Datasync(); err != nil {
		return errs.Of("sync the journal's tail", w.v.tail.path, err)
	}
	return nil
}

// writeHeader writes a header and its snapshot and syncs the tail.
func (w *Writer) writeHeader(slot int, h header, snap []byte) error {
	t := w.v.tail
	if len(snap) > maxSnapshot {
		snap = nil // Pebble holds it
	}
	h.snapLen, h.snapHash = len(snap), record.Hash{}
	if len(snap) > 0 {
		h.snapHash = record.HashOf(snap)
		if _, err := w.f.WriteAt(snap, int64(snapArea(slot))*blockSize); err != nil {
			return errs.Of("write the journal's tail", t.path, err)
		}
	}
	if _, err := w.f.WriteAt(h.encode(slot), int64(slot)*blockSize); err != nil {
		return errs.Of("write the journal's tail", t.path, err)
	}
	if err := w.syncTail(); err != nil {
		return err
	}
	t.header, t.slot = h, slot
	return nil
}

// startGeneration begins a new generation at the first frame, after everything
// up to the tip has settled.
func (w *Writer) startGeneration(snap []byte) error {
	v, t := w.v, w.v.tail
	files, err := store.List(v.fs, v.l.Dir)
	if err != nil {
		return err
	}
	h := header{id: v.id, length: t.header.length, generation: t.header.generation + 1, base: v.tip, files: files}
	if !h.fits() {
		return errs.Corrupt(v.l.Dir, 0, nil, "settle the journal's records: there are more files than a journal has")
	}
	if err := w.writeHeader(1-t.slot, h, snap); err != nil {
		return err
	}
	v.frames, v.next, v.cut = nil, firstFrame, v.tip
	v.snap = snap
	if v.settled != nil { // opened before the settling
		err = v.settled.Close()
		v.settled = nil
	}
	return err
}

// Append writes the event as the next record and then writes the head file. When
// it returns without an error the record is acknowledged; nothing may depend on
// the record before. An entry that cannot become a record (errs.ErrTooLarge,
// errs.ErrInvalid) or does not fit before the tail is settled (ErrTailFull)
// leaves the writer unchanged. Any other error poisons it; opening the journal
// again shows whether the record is there.
func (w *Writer) Append(e record.Entry) (record.Record, error) {
	if err := w.usable(); err != nil {
		return record.Record{}, err
	}
	v := w.v
	raw, err := record.Encode(v.text, v.tip.Seq+1, v.tip.Hash, e)
	if err != nil {
		return record.Record{}, err
	}
	f := frame{block: v.next}
	if err := f.rec.Decode(raw); err != nil {
		return record.Record{}, err
	}
	if f.block+f.parts() > v.tail.blocks {
		return record.Record{}, &errs.Error{Kind: ErrTailFull, Path: v.tail.path, Seq: f.rec.Seq, Detail: "append", Next: nextSettle}
	}
	err = w.writeFrame(&f)
	if err == nil {
		err = w.syncTail()
	}
	if err == nil && w.head != nil {
		err = w.head.write(tipOf(&f.rec))
	}
	if err != nil {
		return record.Record{}, w.poison(err)
	}
	// The commit point: the record is acknowledged.
	v.frames = append(v.frames, f)
	v.next += f.parts()
	v.tip, w.acked = tipOf(&f.rec), tipOf(&f.rec)
	return f.rec, nil
}

// Fresh reports whether the tail holds no record since the last settling. The
// next record then vouches for the snapshot at Tip.
func (w *Writer) Fresh() bool { return len(w.v.frames) == 0 && w.v.tip.Seq > 0 }

// Record reads one record, as [View.Record] does.
func (w *Writer) Record(seq uint64) (record.Record, error) { return w.v.Record(seq) }

// Tip returns the newest record.
func (w *Writer) Tip() record.Tip { return w.v.tip }

// Tail returns how much of the tail is used.
func (w *Writer) Tail() TailUse { return w.v.Tail() }

// Settle moves the tail's records into Pebble, with snap, the caller's snapshot
// at the tip; nil if there is none. The tail is then empty, and the caller
// appends the record that vouches for snap.
//
//  1. If free blocks or inodes are too few, nothing is started.
//  2. One batch with the records and the snapshot, flushed. Until step 3 is
//     durable the records are in both places.
//  3. The other header, with the new base and a new generation, and its
//     snapshot, synced: from here on the older frames are ignored.
//
// If step 1 or 2 fails because of the disk the error is ErrUnsettled, and the
// writer continues as before. Damage is errs.ErrCorrupt. A failed step 3 poisons
// the writer.
func (w *Writer) Settle(snap []byte) error {
	if err := w.usable(); err != nil {
		return err
	}
	v := w.v
	// Only acknowledged records settle.
	if w.head != nil && w.acked != v.tip {
		if err := w.head.write(v.tip); err != nil {
			return w.poison(err)
		}
		w.acked = v.tip
	}
	if len(snap) > maxSettledSnapshot {
		snap = nil
	}
	if err := w.settle(snap); err != nil {
		if errors.Is(err, errs.ErrCorrupt) || errors.Is(err, errs.ErrNewer) {
			return err
		}
		return &errs.Error{Kind: ErrUnsettled, Path: v.l.Dir, Seq: v.tip.Seq, Detail: "settle the journal's records", Err: err, Next: nextSettle}
	}
	if err := w.startGeneration(snap); err != nil {
		return w.poison(err)
	}
	return nil
}

// Space that a settling needs beside the records: for Pebble's manifest, its
// markers, and the tables that a compaction writes before it removes any.
const (
	settleBytes  = 8 << 20
	settleInodes = 32
)

func (w *Writer) settle(snap []byte) error {
	v := w.v
	records := make([][]byte, len(v.frames))
	need := uint64(settleBytes + len(snap))
	for i := range v.frames {
		records[i] = v.frames[i].rec.Raw
		need += uint64(len(records[i]))
	}
	space, err := durable.FreeSpace(v.fs)
	if err != nil {
		return errs.Of("read the free space", ".", err)
	}
	if space.FreeBytes < need || space.FreeInodes < settleInodes {
		return &errs.Error{Kind: errs.ErrNoSpace,
			Detail: fmt.Sprintf("%d bytes and %d inodes are free, but %d and %d are needed", space.FreeBytes, space.FreeInodes, need, settleInodes)}
	}
	var s *store.Snapshot
	if snap != nil {
		s = &store.Snapshot{Seq: v.tip.Seq, Data: snap}
	}
	return store.Settle(v.fs, v.l.Dir, v.cut, slices.Clip(records), s)
}

func (w *Writer) usable() error {
	if w.err != nil {
		return w.err
	}
	if w.closed {
		return &errs.Error{Kind: ErrClosed, Path: w.v.l.Dir, Detail: "append", Next: errs.NextDevelop}
	}
	return nil
}

// poison records the first fault and returns it.
func (w *Writer) poison(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// Close releases the journal. It returns the first error of a poisoned writer.
// Records that Append returned are durable whatever Close returns.
func (w *Writer) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	for _, f := range w.files() {
		if err := f.Close(); err != nil {
			_ = w.poison(errs.Of("close a file of the journal", w.v.l.Dir, err))
		}
	}
	if err := w.v.Close(); err != nil {
		_ = w.poison(err)
	}
	return w.err
}

func (w *Writer) files() (open []durable.File) {
	if w.f != nil {
		open = append(open, w.f)
	}
	if w.head != nil && w.head.f != nil {
		open = append(open, w.head.f)
	}
	return open
}
