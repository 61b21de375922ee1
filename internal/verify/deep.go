package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// deep folds a whole history, and checks each record, snapshot and file against
// the state.
type deep struct {
	Fold
	src      *history.Source
	chain    bool // no finding of the chain is an error
	progress func(stage string, done, total uint64)
	snaps    map[uint64][][]byte // by seq of their record
}

func newDeep(src *history.Source, chain bool, progress func(string, uint64, uint64)) *deep {
	return &deep{Fold: *NewFold(src.ID()), src: src, chain: chain, progress: progress, snaps: map[uint64][][]byte{}}
}

// run checks each record, then the files. An error means that the history could
// not be verified.
func (d *deep) run(ctx context.Context) error {
	if d.src.First() != 1 {
		d.Findings = append(d.Findings, stopped(journal.SeverityWarning, d.src.First(), errors.New("the export begins later than the history, so the state before it is not known")))
		return nil
	}
	d.predecessors()
	if err := d.listSnapshots(); err != nil {
		return err
	}
	whole, err := d.records(ctx)
	if err != nil || !whole {
		return err
	}
	return d.files()
}

// predecessors compares each salvage with the kept records of its predecessor,
// if they are in the state root.
func (d *deep) predecessors() {
	if d.src.Kind() != history.StateRoot {
		return
	}
	before, note := Predecessors(d.src)
	after := d.src
	for _, src := range before {
		for _, wrong := range Floors(after, src) {
			d.bad(CodePredecessor, 1, "%s", wrong)
		}
		after = src
	}
	for _, src := range before {
		_ = src.Close() // read-only
	}
	if note != "" {
		d.found(journal.SeverityWarning, CodePredecessorAbsent, 1, "%s", note)
	}
}

// progressEvery is the number of records between two calls of progress.
const progressEvery = 4096

// records folds the records; whole is false if it stopped before the last one.
func (d *deep) records(ctx context.Context) (whole bool, err error) {
	tip := d.src.Tip().Seq
	for rec, err := range d.src.Records(1, tip) {
		if err != nil {
			if d.chain {
				d.Findings = append(d.Findings, journal.FindingOf(err))
			} // otherwise a finding of the chain reports it
			return false, nil
		}
		if rec.Seq%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return false, fmt.Errorf("verify the journal: %w", err)
			}
			d.progress("replay", rec.Seq, tip)
		}
		if !d.Add(rec) {
			return false, nil
		}
		for _, data := range d.snaps[rec.Seq] {
			d.snapshot(rec.Seq, data)
		}
	}
	return true, nil
}

func (d *deep) listSnapshots() error {
	view := d.src.View()
	if view == nil {
		return nil
	}
	for snap, err := range view.Snapshots(math.MaxUint64) {
		if errors.Is(err, errs.ErrCorrupt) {
			if d.chain {
				d.Findings = append(d.Findings, journal.FindingOf(err))
			} // otherwise a finding of the storage reports it
			return nil
		}
		if err != nil {
			return err
		}
		d.snaps[snap.Seq] = append(d.snaps[snap.Seq], bytes.Clone(snap.Data))
	}
	return nil
}

// snapshot compares the snapshot of record seq with the state of the fold. A
// snapshot that readers skip is only a warning: it cannot mislead them.
func (d *deep) snapshot(seq uint64, data []byte) {
	state, err := machine.DecodeState(data)
	if err != nil {
		d.found(journal.SeverityWarning, CodeUnusable, seq, "%v; readers skip this snapshot", err)
		return
	}
	have, err := machine.EncodeState(state)
	want, err2 := machine.EncodeState(d.State())
	if err != nil || err2 != nil || !bytes.Equal(have, want) {
		d.bad(CodeSnapshot, seq, "the snapshot of record %d differs from the state of a full replay", seq)
	}
}
