package machine

import (
	"context"
	"slices"

	"github.com/looplab/fsm"
)

// trigger is a row of the transition table. A guard is a trigger of its own (an
// initial, a matching and a differing capture are three), so that the table alone
// defines which event may follow in which phase.
type trigger string

const (
	trCaptureInitial trigger = "capture_initial"
	trCaptureMatch   trigger = "capture_match"
	trCaptureDiffers trigger = "capture_differs"
	trVerifyFirst    trigger = "verify_before_first_run"
	trAdoptFresh     trigger = "adopt_epoch_0"
	trAdopt          trigger = "adopt_epoch_n"
	trSalvage        trigger = "salvage"
	trDetect         trigger = "detect"
	trRetry          trigger = "retry_or_supersede"
	trVerify         trigger = "verify_manifest"
	trApply          trigger = "apply_operation"
	trRotate         trigger = "rotate_epoch"
	trAbandon        trigger = "abandon"
	trAttemptFailed  trigger = "attempt_failed"
	trRecorded       trigger = "recorded" // events that every phase accepts and that change none
)

var (
	anyPhase = []Phase{
		PhaseNew, PhaseAdopted, PhaseSalvaged, PhaseSettled,
		PhaseDetected, PhaseVerified, PhaseApplying, PhaseFailed,
	}
	openPhases = []Phase{PhaseDetected, PhaseVerified, PhaseApplying, PhaseFailed}
)

// table returns the one transition table. looplab/fsm holds it and steps through
// it, and is used for nothing else: no callbacks (it matches them by name prefix
// and runs some after the state has changed), no SetState.
func table() fsm.Events {
	var t fsm.Events
	to := func(tr trigger, dst Phase, src ...Phase) {
		from := make([]string, len(src))
		for i, p := range src {
			from[i] = string(p)
		}
		t = append(t, fsm.EventDesc{Name: string(tr), Src: from, Dst: string(dst)})
	}
	stay := func(tr trigger, phases ...Phase) {
		for _, p := range phases {
			to(tr, p, p)
		}
	}

	// A history begins.
	stay(trVerifyFirst, PhaseNew)
	to(trCaptureInitial, PhaseSettled, PhaseNew)
	to(trAdoptFresh, PhaseSettled, PhaseNew)
	to(trAdopt, PhaseAdopted, PhaseNew)
	to(trSalvage, PhaseSalvaged, PhaseNew)

	// A boot measures the operating system; the measurement alone changes no phase.
	stay(trCaptureMatch, PhaseSettled, PhaseAdopted)
	stay(trCaptureMatch, openPhases...)
	stay(trCaptureDiffers, anyPhase...)

	// A reconstruction, with its retries, to its commit or its abandonment.
	to(trDetect, PhaseDetected, PhaseNew, PhaseAdopted, PhaseSalvaged, PhaseSettled)
	to(trRetry, PhaseDetected, openPhases...)
	to(trVerify, PhaseVerified, PhaseDetected, PhaseVerified, PhaseApplying)
	to(trApply, PhaseApplying, PhaseVerified, PhaseApplying)
	to(trRotate, PhaseSettled, PhaseVerified, PhaseApplying)
	to(trAbandon, PhaseSettled, PhaseDetected, PhaseVerified, PhaseFailed)
	to(trAttemptFailed, PhaseFailed, openPhases...)

	stay(trRecorded, anyPhase...)
	return t
}

func newTable(at Phase) *fsm.FSM {
	return fsm.NewFSM(string(at), table(), nil)
}

// stepper moves through the table. It remembers the transitions that stay in a
// phase and does not ask the table again: most steps of a history are such, and
// asking costs as much as everything else that is done for an event.
type stepper struct {
	table *fsm.FSM
	at    Phase // the table's current state
	stays map[transition]bool
}

type transition struct {
	at Phase
	tr trigger
}

func newStepper(at Phase) *stepper {
	return &stepper{table: newTable(at), at: at, stays: map[transition]bool{}}
}

// step moves the table and returns the new phase. A transition to the same phase
// is not an error here. After an error the table has not moved.
func (s *stepper) step(tr trigger) (Phase, error) {
	e := transition{s.at, tr}
	if s.stays[e] {
		return s.at, nil
	}
	err := s.table.Event(context.Background(), string(tr))
	// fsm returns this type itself, not wrapped.
	if same, ok := err.(fsm.NoTransitionError); ok && same.Err == nil {
		s.stays[e] = true
		return s.at, nil
	}
	s.at = Phase(s.table.Current())
	return s.at, err
}

func known(p Phase) bool { return slices.Contains(anyPhase, p) }
