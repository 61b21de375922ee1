package gate

import (
	"context"
	"errors"
	"log/slog"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// rest tells what ended a pass over the journal, and leaves the journal at
// rest. What only that meets ends a run that nothing else has ended. Damage
// that startOver is going to answer is left to it to tell.
func (r *run) rest(failure *Failure) *Failure {
	if failure != nil && !r.damagedUnderway(failure) {
		r.fail(failure)
	}
	closed := r.closeHistory()
	if closed == nil {
		return failure
	}
	if failure == nil {
		failure = closed
	}
	if r.damagedUnderway(failure) {
		return failure
	}
	if failure == closed {
		r.logFailure(closed)
	}
	if r.writable {
		r.leaveFailure(closed)
	}
	return failure
}

// damagedUnderway reports whether the run ended in damage that was not met when
// the journal was judged, and that a salvage is to answer. A boot verifies the
// newest records; a compaction at its end reads blocks that hold none of them,
// and without an answer every boot to come would end there.
//
// Only bytes that changed at rest count: projections of another history are for
// a person to judge (they may have been put back from a copy).
func (r *run) damagedUnderway(f *Failure) bool {
	return f != nil && errors.Is(f.Err, journal.ErrCorrupt) && r.maySalvage(f)
}

// startOver salvages and runs the gate over the new journal: the boot ends as
// if the damage had been met when the journal was opened. What the pass before
// did stays done; its records are in the quarantine, and the epoch that it
// may have reached is a floor of the salvage.
//
// Its commit point is the salvage's: after a loss of power before that, the
// next boot meets the same damage again, or completes the salvage.
func (r *run) startOver(ctx context.Context, f *Failure) *Failure {
	// A certificate that --rotate-certs asked for was re-issued before
	// anything could meet this.
	r.RotateCerts = false
	r.seen, r.rebuild = machine.Observations{}, rebuild{}
	if f := r.salvageHistory(f); f != nil {
		return f
	}
	return through(ctx, r.overHistory())
}

// closeHistory saves a snapshot when one is due and leaves the journal at
// rest.
func (r *run) closeHistory() *Failure {
	h := r.history
	if h == nil {
		return nil
	}
	var err error
	switch {
	case h.writer != nil:
		if h.state.Seq >= h.snapshot+snapshotEvery {
			if data, encodeErr := machine.EncodeState(h.state); encodeErr == nil {
				err = h.writer.SaveSnapshot(h.state.Seq, data)
			}
		}
		err = errors.Join(err, h.writer.Close())
	case h.view != nil:
		err = h.view.Close()
	}
	h.writer, h.view = nil, nil
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrNoSpace):
		// Every record is acknowledged and durable in the log; only its move
		// into tables has to wait for space.
		r.log.Warn("edge.disk.full", slog.String("path", r.rootPath), slog.String("err", err.Error()),
			slog.String("next", "free space on the state root"))
		return nil
	case errors.Is(err, journal.ErrCorrupt):
		// As for damage met at the beginning: to the operator it is the same.
		return r.unusable(err, "precheck: journal unusable", salvageAdvice)
	}
	return r.unusable(err, "precheck: journal cannot be closed", "check the disk and the kernel log; no acknowledged record is lost")
}

// closeRoot lets go of the state root.
func (r *run) closeRoot() *Failure {
	if r.root == nil {
		return nil
	}
	if err := r.root.Close(); err != nil {
		return &Failure{Exit: ExitStateRoot, Stage: "state_root", Message: "precheck: state root cannot be closed",
			Path: r.rootPath, Err: err, Next: "check the disk and the kernel log"}
	}
	return nil
}

// close ends an operator's act: the journal at rest, the state root let go of.
func (r *run) close() *Failure {
	failure := r.closeHistory()
	if failure != nil && r.writable {
		r.leaveFailure(failure)
	}
	if f := r.closeRoot(); failure == nil {
		failure = f
	}
	return failure
}
