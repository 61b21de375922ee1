package gate

import (
	"context"
	"errors"
	"log/slog"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// finish records the failure that ended a pass over the journal, and settles and closes the
// journal. A failure of the settling ends a run that nothing else has ended. Damage
// that startOver will salvage is reported there.
func (r *run) finish(failure *Failure) *Failure {
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
	if r.writable {
		r.leaveFailure(closed)
	}
	return failure
}

// damagedUnderway reports whether the run ended in damage that was not found when
// the journal was judged and that a salvage repairs. A boot reads the tail;
// a settling at its end reads tables, and without a salvage every later boot
// would end there.
//
// Only changed bytes on the disk count: a person must judge projections of
// another history, which may have been put back from a copy.
func (r *run) damagedUnderway(f *Failure) bool {
	return f != nil && errors.Is(f.Err, errs.ErrCorrupt) && r.maySalvage(f)
}

// startOver salvages and runs the checks over the new journal: the boot ends as
// if the damage had been found when the journal was opened. The effects of the first pass
// stay; its records are in the quarantine, and the epoch that it
// may have reached is a floor of the salvage.
//
// Its commit point is the salvage's: after a power cut before that, the
// next boot finds the same damage again, or completes the salvage.
func (r *run) startOver(ctx context.Context, f *Failure) *Failure {
	// The certificate of --rotate-certs was re-issued before
	// this damage was found.
	r.RotateCerts = false
	r.seen, r.rebuild = machine.Observations{}, rebuild{}
	if f := r.salvageHistory(f); f != nil {
		return f
	}
	return through(ctx, r.overHistory())
}

// closeHistory settles the tail if that is due and releases the journal.
func (r *run) closeHistory() *Failure {
	h := r.history
	if h == nil {
		return nil
	}
	var failure *Failure
	if h.writer != nil && h.writer.Tail().SettlingDue {
		failure = r.settle()
		if failure != nil && errors.Is(failure.Err, journal.ErrUnsettled) {
			// Nothing is lost while the tail has room: the daemon that frees
			// space must be able to start.
			h.unsettled = true
			r.log.Warn("edge.journal.unsettled", slog.String("path", r.absolute(layout.Dir)), slog.String("err", failure.Reason()),
				slog.Int("records", h.writer.Tail().Records), slog.Int64("free_bytes", h.writer.Tail().FreeBytes),
				slog.String("next", "free space and inodes on the state root; the next boot tries again"))
			failure = nil
		}
	}
	var err error
	switch {
	case h.writer != nil:
		h.tail = h.writer.Tail()
		err = h.writer.Close()
	case h.view != nil:
		h.tail = h.view.Tail()
		err = h.view.Close()
	}
	h.writer, h.view = nil, nil
	if failure == nil && err != nil {
		failure = r.unusable(err, "precheck: journal cannot be closed", "check the disk and the kernel log; no acknowledged record is lost")
	}
	return failure
}

// settle moves the records of the tail into Pebble, with a snapshot of the
// state that the fold of this run reached, and journals the SnapshotTaken that vouches for it.
func (r *run) settle() *Failure {
	snap, err := machine.EncodeState(r.history.state)
	if err == nil {
		err = r.history.writer.Settle(snap)
	}
	switch {
	case errors.Is(err, errs.ErrCorrupt):
		// To the operator it is the same as damage found at the beginning.
		return r.unusable(err, "precheck: journal unusable", salvageAdvice)
	case err != nil:
		return r.unusable(err, "precheck: journal cannot be settled", "free space and inodes on the state root, check the disk and the kernel log")
	}
	return r.vouch()
}

// vouch journals the BLAKE3 of the snapshot at the newest settled record. It
// comes from this run's own fold, never from stored bytes.
func (r *run) vouch() *Failure {
	s := r.history.state
	snap, err := machine.EncodeState(s)
	if err != nil {
		return r.unusable(err, "precheck: state cannot be encoded", "this is a defect of edged; report it with the journal")
	}
	_, f := r.appendEvent(machine.SnapshotTaken{V: 1, Of: s.Seq, BLAKE3: digest.Of(snap)})
	return f
}

// closeRoot closes the state root.
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

// close ends an operator's action: it settles and closes the journal, and closes the state root.
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
