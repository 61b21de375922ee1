package gate

import (
	"context"
	"errors"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
	"github.com/autonomyops/edged/internal/osid"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// observe collects, before the loop, everything that Decide needs.
func (r *run) observe(context.Context) *Failure {
	live, err := r.measure()
	if err != nil {
		return &Failure{Exit: ExitReconstruction, Stage: "fingerprint", Message: "precheck: live fingerprint cannot be taken",
			Path: pathOf(err, "/etc/os-release"), Err: err, Next: nextOf(err, "the root filesystem must hold a readable os-release")}
	}
	r.live = live
	s := r.history.state
	o := machine.Observations{
		Run:             r.id,
		FingerprintPath: projections.FingerprintPath,
		Live: machine.Captured{
			CompositeHash: live.CompositeHash, Inputs: live.Inputs,
			OSRelease: live.OSRelease, Truncated: live.Truncated, CapturedAt: r.clock.wall,
		},
	}
	o.ManifestDue = r.cfg.Gate.ManifestKeyBLAKE3 != "" || present(r.fs, stateroot.Manifest)
	if f := r.judgeFiles(s, &o); f != nil {
		return f
	}
	if f := r.judgeRuntime(s, &o); f != nil {
		return f
	}
	r.seen = o
	return nil
}

// measure takes the fingerprint of the operating system. That of a node whose disk
// is examined elsewhere is not here: it counts as the one that the last boot found.
func (r *run) measure() (osid.Fingerprint, error) {
	s := r.history.state
	b, open := s.Baseline, s.Open
	if !r.elsewhere || b == nil {
		return osid.Capture(r.host.OS)
	}
	if c := s.Run.Captured; open != nil && c != nil && c.CompositeHash == open.Target {
		return osid.Fingerprint{CompositeHash: c.CompositeHash, Inputs: c.Inputs, UnameRelease: c.Inputs.UnameRelease, OSRelease: c.OSRelease, Truncated: c.Truncated}, nil
	}
	return osid.Fingerprint{CompositeHash: b.CompositeHash, Inputs: b.Inputs, UnameRelease: b.UnameRelease,
		OSRelease: b.OSRelease, Truncated: b.OSReleaseTruncated}, nil
}

// judgeFiles holds the projections against the history.
func (r *run) judgeFiles(s machine.State, o *machine.Observations) *Failure {
	if s.Baseline == nil {
		r.judgeWithoutBaseline(s, o)
		return nil
	}
	judged := s
	if s.Open != nil {
		// Decide passes over this verdict while the update is open; it counts
		// once the update is abandoned, so that nothing edited meanwhile is
		// laundered by the publication that follows.
		judged.Open, judged.Phase = nil, machine.PhaseSettled
	}
	v, err := projections.JudgeFingerprint(r.files.Fingerprint, judged, r.lookup)
	if err != nil {
		return r.unusable(err, "precheck: fingerprint file cannot be judged", salvageAdvice)
	}
	switch v.Kind {
	case projections.Repair:
		o.Repairs = append(o.Repairs, repaired(projections.FingerprintPath, v))
	case projections.Cause:
		o.File = machine.FoundFile{Cause: v.Cause, BLAKE3: v.FoundBLAKE3, Hash: v.PreviousHash, Epoch: v.FoundEpoch}
	case projections.Foreign:
		return foreign(r, v)
	}
	for _, found := range []projections.Found{r.files.Current, r.files.Previous} {
		v, err := projections.JudgeEvidence(found.Path, found, s)
		if err != nil {
			return r.unusable(err, "precheck: evidence cannot be judged", salvageAdvice)
		}
		switch v.Kind {
		case projections.Repair:
			o.Repairs = append(o.Repairs, repaired(found.Path, v))
		case projections.Foreign:
			return foreign(r, v)
		}
	}
	return nil
}

// judgeWithoutBaseline distinguishes a first run, legacy state and a
// fingerprint file that cannot be read.
func (r *run) judgeWithoutBaseline(s machine.State, o *machine.Observations) {
	if s.Phase != machine.PhaseNew {
		return // a salvaged journal: the files are not judged
	}
	class := projections.Classify(r.files)
	o.Legacy = class == projections.ClassLegacy
	o.Unreadable = class == projections.ClassUnparseable
	if o.Unreadable {
		o.File = machine.FoundFile{Cause: machine.CauseTampered, BLAKE3: r.files.Fingerprint.BLAKE3}
		o.EvidenceFloor = projections.EvidenceEpochFloor(r.files)
	}
}

// foreign returns the failure for an undamaged file of a history that this journal does not hold.
func foreign(r *run, v projections.Verdict) *Failure {
	return r.unusable(&errs.Error{Kind: journal.ErrForeign, Path: v.Path, Detail: v.Reason, Next: salvageAdvice},
		"precheck: projection is of another history", salvageAdvice)
}

func repaired(path string, v projections.Verdict) machine.ProjectionRepaired {
	return machine.ProjectionRepaired{V: 1, Path: path, Reason: v.Reason, FoundBLAKE3: v.FoundBLAKE3}
}

// lookup reads one earlier event of this journal for the judge of the files.
func (r *run) lookup(seq uint64) (machine.Event, error) {
	h := r.history
	read := errNoRecord
	switch {
	case h.view != nil:
		read = h.view.Record
	case h.writer != nil:
		read = h.writer.Record
	}
	rec, err := read(seq)
	if err != nil {
		return machine.Event{}, err
	}
	return replay.Event(rec)
}

func errNoRecord(uint64) (record.Record, error) {
	return record.Record{}, errors.New("there is no journal yet")
}

// judgeRuntime checks, if the option is set, whether the files that the last epoch installed are still
// as installed.
func (r *run) judgeRuntime(s machine.State, o *machine.Observations) *Failure {
	if s.Current == nil || !r.verifiesRuntime() {
		return nil
	}
	for _, op := range s.Current.Operations {
		ok, err := operation.InPlace(r.fs, op.Dst, op.BLAKE3, op.Mode, op.Bytes)
		if err != nil {
			return runtimeFailure(err, op.Dst)
		}
		if !ok {
			o.Drift = true
			return nil
		}
	}
	return nil
}

// judgeFirstRuntime checks, if the option is set, whether a destination of the manifest that
// a first run has verified differs from what its operation would
// install. One that is absent is no finding: a first run applies nothing.
func (r *run) judgeFirstRuntime(m *manifest.Manifest) *Failure {
	if !r.verifiesRuntime() {
		return nil
	}
	planned, err := operation.Rules(r.rootPath, m)
	if err != nil {
		return operationFailure(err)
	}
	for _, p := range planned {
		differs, err := operation.Differs(r.fs, p)
		if err != nil {
			return runtimeFailure(err, p.Dst)
		}
		r.seen.Drift = r.seen.Drift || differs
	}
	return nil
}

func (r *run) verifiesRuntime() bool { return r.VerifyRuntime || r.cfg.Gate.VerifyRuntime }

func runtimeFailure(err error, dst string) *Failure {
	return &Failure{Exit: ExitReconstruction, Stage: "operation", Message: "precheck: runtime cannot be verified",
		Path: pathOf(err, dst), Err: err, Next: nextOf(err, "check the disk and the kernel log")}
}
