// Package replay folds a journal through the machine. The gate does so at every boot
// to find the state of the node; investigators do so to find an earlier state.
package replay

import (
	"errors"
	"fmt"
	"iter"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// Source is a journal that can be read in order: a live one, a directory on a
// seized disk, or an export.
type Source interface {
	// Records yields the records with from ≤ seq ≤ to, verified as a chain.
	Records(from, to uint64) iter.Seq2[record.Record, error]
	// Snapshots yields the state snapshots at records up to atOrBefore, the newest
	// first. Nothing vouches for them.
	Snapshots(atOrBefore uint64) iter.Seq2[journal.Snapshot, error]
}

// Event returns a record as the machine's event. The error is machine.ErrNewer for a
// critical record of a kind that this binary does not know.
func Event(r record.Record) (machine.Event, error) { return event(r, r.Prev.String()) }

// event is Event with the text of r.Prev.
func event(r record.Record, prev string) (machine.Event, error) {
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

// Start is the record from which a state was folded.
type Start struct {
	Snapshot uint64 // the record of the snapshot, 0 if the whole history was folded
	// Ignored are the reasons why snapshots were skipped: the chain does not vouch
	// for them, or they cannot be used.
	Ignored []error
}

// State returns the state after record at, folded from the newest snapshot
// before it that the chain vouches for.
func State(src Source, at uint64) (machine.State, Start, error) {
	state, start, err := startState(src, at)
	if err != nil {
		return machine.State{}, start, err
	}
	fold := machine.NewFold(state)
	for e, err := range events(src, start.Snapshot+1, at) {
		if err != nil {
			return machine.State{}, start, err
		}
		if err := fold.Apply(e); err != nil {
			return machine.State{}, start, err
		}
	}
	if s := fold.State(); s.Seq != at {
		return machine.State{}, start, fmt.Errorf("replay to record %d: the records end at %d", at, s.Seq)
	}
	return fold.State(), start, nil
}

// startState returns the state of the newest usable snapshot. A snapshot is a
// shortcut: one that cannot be used is skipped.
func startState(src Source, at uint64) (state machine.State, start Start, err error) {
	for snap, err := range src.Snapshots(at) {
		if err != nil {
			return state, start, err
		}
		state, err := stateOf(src, snap)
		switch {
		case err == nil:
			start.Snapshot = snap.Seq
			return state, start, nil
		case !errors.Is(err, errUnvouched):
			start.Ignored = append(start.Ignored, fmt.Errorf("the snapshot of record %d is ignored: %w", snap.Seq, err))
		}
	}
	return machine.State{}, start, nil
}

var (
	// errUnvouched: a settling was cut short, and no record vouches for its
	// snapshot yet. That is no finding.
	errUnvouched = errors.New("no record follows it")
	// errNotVouchedFor: the gate did not write the snapshot.
	errNotVouchedFor = errors.New("the record after it does not vouch for it")
)

// stateOf returns the state in a snapshot, if the next record is the SnapshotTaken
// that names it.
func stateOf(src Source, snap journal.Snapshot) (machine.State, error) {
	err := errUnvouched
	for rec, bad := range src.Records(snap.Seq+1, snap.Seq+1) {
		if err = bad; err == nil {
			err = vouches(rec, snap)
		}
	}
	if err != nil {
		return machine.State{}, err
	}
	state, err := machine.DecodeState(snap.Data)
	if err == nil && state.Seq != snap.Seq {
		err = fmt.Errorf("it is of record %d", state.Seq)
	}
	return state, err
}

// vouches checks that rec is the SnapshotTaken that names snap.
func vouches(rec record.Record, snap journal.Snapshot) error {
	event, err := Event(rec)
	if err != nil {
		return err
	}
	p, ok := event.Payload.(machine.SnapshotTaken)
	if !ok || p.Of != snap.Seq || p.BLAKE3 != record.HashOf(snap.Data).String() {
		return errNotVouchedFor
	}
	return nil
}
