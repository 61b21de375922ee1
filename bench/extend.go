package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// pace says how a history is made.
type pace struct {
	together int  // records a synced batch
	session  int  // records between open and close of the journal
	singly   int  // records at the end that have a session each
	fold     bool // fold them through the machine, and leave a snapshot a session of several
	// snapshot is how many records before the end the last snapshot is of,
	// where that falls among the single ones.
	snapshot int
}

// extend appends copies of entry, each with ids of its own, until the journal
// of the state root holds total records.
func extend(dir string, total int, p pace, entry record.Entry) error {
	fsys, err := durable.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer fsys.Close() //nolint:errcheck // the journal is closed on its own
	g := &growing{fsys: fsys, pace: p, entry: entry}
	for {
		done, err := g.session(uint64(total))
		if err != nil {
			return fmt.Errorf("make a history in %s: %w", dir, err)
		}
		if done {
			return nil
		}
	}
}

// newestEntry is the newest record of a state root, as an entry to be copied.
func newestEntry(dir string) (record.Entry, error) {
	fsys, err := durable.OpenRoot(dir)
	if err != nil {
		return record.Entry{}, err
	}
	defer fsys.Close() //nolint:errcheck // only read
	v, err := journal.OpenView(fsys, journal.DefaultLayout())
	if err != nil {
		return record.Entry{}, err
	}
	r, err := v.Record(v.Tip().Seq)
	if err := errors.Join(err, v.Close()); err != nil {
		return record.Entry{}, err
	}
	return record.Entry{Type: r.Type, Crit: r.Crit, Time: r.Time, BootID: r.BootID, UptimeMS: r.UptimeMS,
		Node: r.Node, Epoch: r.Epoch, Data: append([]byte(nil), r.Data...)}, nil
}

type growing struct {
	fsys  durable.FS
	pace  pace
	entry record.Entry
	fold  *machine.Fold
}

// session opens the journal as a boot does, appends, and leaves it at rest.
func (g *growing) session(total uint64) (done bool, err error) {
	layout := journal.DefaultLayout()
	v, err := journal.OpenView(g.fsys, layout)
	if err != nil {
		return false, err
	}
	if g.pace.fold && g.fold == nil {
		state, _, err := replay.State(v, v.Tip().Seq)
		if err != nil {
			return false, errors.Join(err, v.Close())
		}
		g.fold = machine.NewFold(state)
	}
	act, err := v.CheckHead(nil)
	if err != nil {
		return false, errors.Join(err, v.Close())
	}
	w, err := journal.OpenWriter(g.fsys, layout, v, act)
	if err != nil {
		return false, err
	}
	due := uint64(g.pace.session)
	left := total - min(w.Tip().Seq, total)
	if left <= uint64(g.pace.singly) {
		due = 1
	} else {
		due = min(due, left-uint64(g.pace.singly))
	}
	due = min(due, left)
	for n := uint64(0); n < due && err == nil; {
		count := min(due-n, uint64(g.pace.together))
		err = g.append(w, int(count))
		n += count
	}
	if err == nil && g.fold != nil && (due > 1 || total-w.Tip().Seq == uint64(g.pace.snapshot)) {
		var data []byte
		if data, err = machine.EncodeState(g.fold.State()); err == nil {
			err = w.SaveSnapshot(w.Tip().Seq, data)
		}
	}
	done = w.Tip().Seq >= total
	return done, errors.Join(err, w.Close())
}

// append writes one batch of entries, a microsecond apart.
func (g *growing) append(w *journal.Writer, count int) error {
	batch := make([]record.Entry, count)
	for i := range batch {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		g.entry.Time = g.entry.Time.Add(time.Microsecond)
		batch[i] = g.entry
		batch[i].ID, batch[i].Run = id, id.String()
	}
	recs, err := w.AppendBatch(batch)
	if err != nil || g.fold == nil {
		return err
	}
	for _, r := range recs {
		event, err := replay.Event(r)
		if err != nil {
			return err
		}
		if err := g.fold.Apply(event); err != nil {
			return err
		}
	}
	return nil
}
