package machine

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrTransition: the event may not follow in this state. No gate wrote a history
// that holds such an event.
var ErrTransition = errors.New("event not allowed in this state")

// Fold applies events to a state, one after the other. It has one instance of the
// table, because making one costs more than twenty steps.
type Fold struct {
	table *stepper
	// state and spare change places: an event is applied to a copy.
	state, spare *State
}

// NewFold starts at s; the zero State is the state before the first record.
//
// The lists that grow with each record are clipped, so that the fold's first
// append copies them. From then on it owns them and appends in place. Copying them
// with each record would cost hours for a million records. The states that the
// fold has returned do not change: an append is after their end.
func NewFold(s State) *Fold {
	if s.Phase == "" {
		s.Phase = PhaseNew
	}
	s.Run.Repaired, s.Keys.Successors = slices.Clip(s.Run.Repaired), slices.Clip(s.Keys.Successors)
	return &Fold{table: newStepper(s.Phase), state: &s, spare: new(State)}
}

// State returns the state after the events applied so far.
func (f *Fold) State() State { return *f.state }

// Apply returns the state after e. Every reader of a history uses it: a boot, a
// replay, an audit.
func Apply(s State, e Event) (State, error) {
	f := NewFold(s)
	if err := f.Apply(e); err != nil {
		return s, err
	}
	return f.State(), nil
}

// Apply moves the fold by one event. After an error ([ErrTransition]) the state is
// the one before.
//
// A SnapshotTaken changes only the tip. It is written at the beginning or the end
// of a run, even of one that does nothing else, so it neither begins nor ends a
// run, and its time never raises the time floor.
func (f *Fold) Apply(e Event) error {
	next := f.spare
	*next = *f.state // a shallow copy: its pointers are replaced, never written through
	if next.Seq != 0 && e.Journal != next.Journal {
		return refuse(*next, e, "it belongs to journal %s", e.Journal)
	}
	if e.Seq != next.Seq+1 {
		return refuse(*next, e, "the record before it is %d", next.Seq)
	}
	// The first record names the node. Only a NodeRenamed, under the old name,
	// changes it. A gate with another name in its config writes nothing.
	if next.Node != "" && e.Node != next.Node {
		return refuse(*next, e, "it is of node %q, but the history is of node %q", e.Node, next.Node)
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

// beginRun ends the run before if e is the first event of another run: only now
// is it known that the run before had no further event.
func (s *State) beginRun(e Event) {
	if e.Run == s.Run.ID {
		return
	}
	s.Clock.Floor = s.TimeFloor(e.Run)
	s.Clock.Pending, s.Clock.PendingRun = time.Time{}, ""
	s.Run = Run{ID: e.Run, BootID: e.BootID, First: e.Seq}
}

// endEvent records the newest run's time. It raises the floor later only if the
// run ended with exit 0.
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

// TimeFloor returns the newest journaled time of a run that exited 0, without the
// times of run itself.
func (s State) TimeFloor(run string) time.Time {
	if s.Clock.PendingRun != "" && s.Clock.PendingRun != run && s.Clock.Pending.After(s.Clock.Floor) {
		return s.Clock.Pending
	}
	return s.Clock.Floor
}

func (s State) open() bool {
	return slices.Contains(openPhases, s.Phase)
}

// AcceptsManifestKey reports whether the manifest may be verified under the key
// with this BLAKE3. Before the first completed epoch any key may; after it, that
// epoch's key or one that a rotation or replacement leads to.
func (s State) AcceptsManifestKey(blake3 string) bool {
	return s.Keys.Manifest == "" || s.Keys.Manifest == blake3 || slices.Contains(s.Keys.Successors, blake3)
}

// Newest returns the BLAKE3 of the manifest key that the history leads to, "" if no
// key is known. It includes a rotation under which no epoch was completed yet,
// which a salvage must not undo.
func (k Keys) Newest() string {
	if n := len(k.Successors); n > 0 {
		return k.Successors[n-1]
	}
	return k.Manifest
}

// MayRotate reports whether the key with this BLAKE3 may name the manifest key's
// successor. Before the first completed epoch any key may; after it, only the
// newest, so that a key that has named a successor cannot name another. The
// transition table does not check this, because an attacker who can write to a
// journal could also write a KeyReplaced, which no signature protects. The writer
// of a rotation checks it, and so does an audit.
func (k Keys) MayRotate(blake3 string) bool {
	return k.Manifest == "" || blake3 == k.Newest()
}

// Accepted returns the keys under which a manifest may be verified. nil means any
// key, before the first completed epoch.
func (k Keys) Accepted() []string {
	if k.Manifest == "" {
		return nil
	}
	return append([]string{k.Manifest}, k.Successors...)
}
