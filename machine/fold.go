package machine

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrTransition: the event is not one that may follow in this state. A
// history that holds such an event was not written by a gate.
var ErrTransition = errors.New("event not allowed in this state")

// Fold applies events to a state, one after the other. It holds the one table
// instance of the fold: making one costs more than twenty steps.
type Fold struct {
	table *stepper
	// state and spare change places: an event is applied to a copy.
	state, spare *State
}

// NewFold starts at s; the zero State is the state before the first record.
//
// The lists that grow with each record are clipped, so that the fold's first
// append copies them: from there on they are its own, and it appends in place.
// Copied with each record, a history of a million of them would cost hours. No
// state that the fold gave is written to: an append lies behind its end.
func NewFold(s State) *Fold {
	if s.Phase == "" {
		s.Phase = PhaseNew
	}
	s.Run.Repaired, s.Keys.Successors = slices.Clip(s.Run.Repaired), slices.Clip(s.Keys.Successors)
	return &Fold{table: newStepper(s.Phase), state: &s, spare: new(State)}
}

// State is the state after the events applied so far.
func (f *Fold) State() State { return *f.state }

// Apply gives the state after e. It is what every reader of a history uses: a
// boot, a replay, an audit.
func Apply(s State, e Event) (State, error) {
	f := NewFold(s)
	if err := f.Apply(e); err != nil {
		return s, err
	}
	return f.State(), nil
}

// Apply moves the fold by one event. On an error ([ErrTransition]) the fold is
// where it was before.
//
// A SnapshotTaken moves the tip and nothing else. It is written where a run
// ends and where one begins, also by a run that comes to nothing, so it neither
// begins nor ends a run, and its time never raises the time floor.
func (f *Fold) Apply(e Event) error {
	next := f.spare
	*next = *f.state // a shallow copy: what it points to is replaced, never written
	if next.Seq != 0 && e.Journal != next.Journal {
		return refuse(*next, e, "it belongs to journal %s", e.Journal)
	}
	if e.Seq != next.Seq+1 {
		return refuse(*next, e, "the record before it is %d", next.Seq)
	}
	// The first record names the node; only a NodeRenamed, under the old name,
	// gives it another. A gate that is told another name writes nothing.
	if next.Node != "" && e.Node != next.Node {
		return refuse(*next, e, "it is of node %q, the history of node %q", e.Node, next.Node)
	}
	_, bookkeeping := e.Payload.(SnapshotTaken)
	if !bookkeeping {
		next.beginRun(e)
	}
	tr, err := next.apply(e)
	if err != nil {
		return err
	}
	if next.Phase, err = f.table.step(tr); err != nil {
		return refuse(*f.state, e, "%s", err)
	}
	next.Journal, next.Seq, next.Hash = e.Journal, e.Seq, e.Hash
	if next.Node == "" {
		next.Node = e.Node
	}
	if !bookkeeping {
		next.endEvent(e)
	}
	f.state, f.spare = next, f.state
	return nil
}

func refuse(s State, e Event, format string, args ...any) error {
	return fmt.Errorf("record %d (%s) in phase %s: %w: %s",
		e.Seq, e.Meta.Kind, s.Phase, ErrTransition, fmt.Sprintf(format, args...))
}

// beginRun closes the books of the run before when e is another run's first
// event: only now is it known that the run reached its end.
func (s *State) beginRun(e Event) {
	if e.Run == s.Run.ID {
		return
	}
	s.Clock.Floor = s.TimeFloor(e.Run)
	s.Clock.Pending, s.Clock.PendingRun = time.Time{}, ""
	s.Run = Run{ID: e.Run, BootID: e.BootID, First: e.Seq}
}

// endEvent keeps the newest run's time: it raises the floor later only if the
// run has reached a good end and did not fail after it.
func (s *State) endEvent(e Event) {
	s.Run.Time = e.Time
	if s.Run.Ended && s.Run.Failed == 0 {
		s.Clock.PendingRun = e.Run
		if e.Time.After(s.Clock.Pending) {
			s.Clock.Pending = e.Time
		}
	} else {
		s.Clock.Pending, s.Clock.PendingRun = time.Time{}, ""
	}
}

// TimeFloor is the newest journaled time of a run that ended in 0, as seen by
// run: the run's own events do not count.
func (s State) TimeFloor(run string) time.Time {
	if s.Clock.PendingRun != "" && s.Clock.PendingRun != run && s.Clock.Pending.After(s.Clock.Floor) {
		return s.Clock.Pending
	}
	return s.Clock.Floor
}

func (s State) open() bool {
	return slices.Contains(openPhases, s.Phase)
}

// AcceptsManifestKey reports whether the manifest may be verified under the
// key with this BLAKE3: any key before the first completed epoch, afterwards
// that epoch's key or one that a rotation or replacement leads to.
func (s State) AcceptsManifestKey(blake3 string) bool {
	return s.Keys.Manifest == "" || s.Keys.Manifest == blake3 || slices.Contains(s.Keys.Successors, blake3)
}

// Newest is the manifest key that the history leads to: a rotation that no
// epoch was completed under yet counts, and a salvage must not undo it. "" where
// no key is known yet.
func (k Keys) Newest() string {
	if n := len(k.Successors); n > 0 {
		return k.Successors[n-1]
	}
	return k.Manifest
}

// MayRotate reports whether the key with this BLAKE3 may name the manifest key's
// successor: any before the first completed epoch, afterwards only the newest.
// One that has named another has nothing to say any more. The table does not
// ask it: whoever can write to a journal can as well write a KeyReplaced, which
// nothing vouches for. Who writes a rotation asks, and who audits one.
func (k Keys) MayRotate(blake3 string) bool {
	return k.Manifest == "" || blake3 == k.Newest()
}

// Accepted lists the keys that a manifest may be verified under; none means
// any, before the first completed epoch.
func (k Keys) Accepted() []string {
	if k.Manifest == "" {
		return nil
	}
	return append([]string{k.Manifest}, k.Successors...)
}
