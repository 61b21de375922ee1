package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// pace is the way in which a history is made.
type pace struct {
	fold bool // fold it, and settle with a snapshot that a record vouches for
	tail int  // records in the tail at the end; 0 means any number
}

// settleAt is the number of records in the tail at which it settles: far more than in a gate, so that a
// long history is made fast.
const settleAt = 800

// extend appends copies of entry, each with its own ids, until the journal of the state root holds total
// records. Nothing is flushed before the end.
func extend(dir string, total int, p pace, entry record.Entry) (err error) {
	fsys, err := durable.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer fsys.Close() //nolint:errcheck // the journal is closed on its own
	g := &growing{pace: p, entry: entry}
	if err := g.open(unflushed{fsys}); err != nil {
		return err
	}
	err = g.grow(uint64(total))
	if err = errors.Join(err, g.w.Close()); err != nil {
		return fmt.Errorf("make a history in %s: %w", dir, err)
	}
	return flush(dir)
}

// tailOf returns the use of a state root's tail.
func tailOf(dir string) (use journal.TailUse, err error) {
	err = viewed(dir, func(v *journal.View) error { use = v.Tail(); return nil })
	return use, err
}

func viewed(dir string, use func(v *journal.View) error) error {
	fsys, err := durable.OpenRootReadOnly(dir)
	if err != nil {
		return err
	}
	defer fsys.Close() //nolint:errcheck // only read
	v, err := journal.OpenView(fsys, journal.DefaultLayout())
	if err != nil {
		return err
	}
	return errors.Join(use(v), v.Close())
}

// newestEntry returns the newest record of a state root, as an entry.
func newestEntry(dir string) (e record.Entry, err error) {
	err = viewed(dir, func(v *journal.View) error {
		r, err := v.Record(v.Tip().Seq)
		e = record.Entry{Type: r.Type, Crit: r.Crit, Time: r.Time, BootID: r.BootID, UptimeMS: r.UptimeMS,
			Node: r.Node, Epoch: r.Epoch, Data: append([]byte(nil), r.Data...)}
		return err
	})
	return e, err
}

type growing struct {
	pace  pace
	entry record.Entry
	w     *journal.Writer
	fold  *machine.Fold
}

// open opens the journal as a boot does.
func (g *growing) open(fsys durable.FS) error {
	v, err := journal.OpenView(fsys, journal.DefaultLayout())
	if err != nil {
		return err
	}
	state, _, err := replay.State(v, v.Tip().Seq)
	if err != nil {
		return errors.Join(err, v.Close())
	}
	g.fold = machine.NewFold(state)
	act, err := v.CheckHead(nil)
	if err != nil {
		return errors.Join(err, v.Close())
	}
	g.w, err = journal.OpenWriter(v, act, "")
	return err
}

// grow appends until the journal holds total records.
func (g *growing) grow(total uint64) error {
	for g.w.Tip().Seq < total {
		left, records := total-g.w.Tip().Seq, g.w.Tail().Records
		var err error
		// The last settling is early enough that the wanted number of records follows it,
		// including the one that vouches for the snapshot.
		if records >= settleAt || g.pace.tail > 0 && left == uint64(g.pace.tail) && records > g.pace.tail {
			err = g.settle()
		} else {
			err = g.append(g.entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle settles as a gate does.
func (g *growing) settle() error {
	if !g.pace.fold {
		return g.w.Settle(nil)
	}
	of := g.w.Tip().Seq
	data, err := machine.EncodeState(g.fold.State())
	if err != nil {
		return err
	}
	if err := g.w.Settle(data); err != nil {
		return err
	}
	e := g.entry
	p := machine.SnapshotTaken{V: 1, Of: of, BLAKE3: record.HashOf(data).String()}
	e.Type, e.Crit = string(p.Kind()), machine.Critical(p.Kind())
	if e.Data, err = machine.Encode(p); err != nil {
		return err
	}
	return g.append(e)
}

// append appends an entry a microsecond after the one before.
func (g *growing) append(e record.Entry) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	g.entry.Time = g.entry.Time.Add(time.Microsecond)
	e.ID, e.Run, e.Time = id, id.String(), g.entry.Time
	r, err := g.w.Append(e)
	if err != nil || !g.pace.fold {
		return err
	}
	event, err := replay.Event(r)
	if err != nil {
		return err
	}
	return g.fold.Apply(event)
}

// unflushed is a disk whose flushes do nothing.
type unflushed struct{ durable.FS }

func (unflushed) SyncDir(string) error { return nil }

func (u unflushed) Open(name string) (durable.File, error) { return dry(u.FS.Open(name)) }

func (u unflushed) OpenWrite(name string) (durable.File, error) { return dry(u.FS.OpenWrite(name)) }

func (u unflushed) Create(name string, perm fs.FileMode) (durable.File, error) {
	return dry(u.FS.Create(name, perm))
}

type unflushedFile struct{ durable.File }

func dry(f durable.File, err error) (durable.File, error) {
	if err != nil {
		return nil, err
	}
	return unflushedFile{f}, nil
}

func (unflushedFile) Sync() error     { return nil }
func (unflushedFile) Datasync() error { return nil }
