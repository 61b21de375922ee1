// Package replay folds a journal through the machine. The gate uses it at
// every boot to know where the node stands; investigators use it to know where
// the node stood.
package replay

import (
	"fmt"
	"iter"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// Source is a journal that can be read in order: a live one, a directory on a
// seized disk, or an export.
type Source interface {
	// Records yields the records with from ≤ seq ≤ to, verified as a chain.
	Records(from, to uint64) iter.Seq2[journal.Record, error]
	// Snapshot gives the newest readable state snapshot at or before seq; ok
	// is false when there is none.
	Snapshot(atOrBefore uint64) (seq uint64, data []byte, ok bool, err error)
}

// Event is a record as the machine sees it. The error is machine.ErrNewer for
// a critical record of a kind that this binary does not know.
func Event(r journal.Record) (machine.Event, error) { return event(r, r.Prev.String()) }

// event is Event where the text of r.Prev is at hand.
func event(r journal.Record, prev string) (machine.Event, error) {
	p, err := machine.Decode(machine.Kind(r.Type), r.Crit, r.Data)
	if err != nil {
		return machine.Event{}, fmt.Errorf("record %d: %w", r.Seq, err)
	}
	return machine.Event{
		Meta: machine.Meta{
			Journal: r.Journal, Seq: r.Seq, Hash: r.Hash.String(), Prev: prev,
			ID: r.ID, Kind: machine.Kind(r.Type), Crit: r.Crit, Time: r.Time,
			BootID: r.BootID, UptimeMS: r.UptimeMS, Run: r.Run, Node: r.Node, Epoch: r.Epoch,
		},
		Payload: p,
	}, nil
}

// State gives the state after record at, folded from the newest snapshot
// before it that can be used. The second result is the seq of that snapshot, 0
// when the whole history was folded.
func State(src Source, at uint64) (machine.State, uint64, error) {
	fold, from := machine.NewFold(machine.State{}), uint64(0)
	seq, data, ok, err := src.Snapshot(at)
	if err != nil {
		return machine.State{}, 0, err
	}
	if ok {
		// A snapshot is a shortcut: one that cannot be used is passed over.
		if s, err := machine.DecodeState(data); err == nil && s.Seq == seq {
			fold, from = machine.NewFold(s), seq
		}
	}
	for e, err := range events(src, from+1, at) {
		if err != nil {
			return machine.State{}, from, err
		}
		if err := fold.Apply(e); err != nil {
			return machine.State{}, from, err
		}
	}
	if s := fold.State(); s.Seq != at {
		return machine.State{}, from, fmt.Errorf("replay to record %d: the records end at %d", at, s.Seq)
	}
	return fold.State(), from, nil
}
