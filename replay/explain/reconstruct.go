package explain

import (
	"slices"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// attempt gives this boot's work on the open reconstruction. One that no
// UpdateDetected of its own began goes on with what an interrupted one left.
func (t *teller) attempt(e machine.Event) *Attempt {
	if t.run.attempt != nil {
		return t.run.attempt
	}
	n := t.open.attempts()
	t.run.attempt = &Attempt{Attempt: n, LastAttempt: n, Resumed: true, Target: t.open.HashTo, Run: e.Run, BootID: e.BootID,
		First: Moment{e.Seq, e.Time}, Last: Moment{e.Seq, e.Time}, Applied: []Applied{}, Boots: 1, of: t.open}
	t.open.keepAttempt(t.run.attempt)
	return t.run.attempt
}

// attempts is the newest attempt's number.
func (r *Reconstruction) attempts() int {
	if n := len(r.Attempts); n > 0 {
		return r.Attempts[n-1].LastAttempt
	}
	return 1
}

func (t *teller) detected(e machine.Event, p machine.UpdateDetected) {
	m := Moment{e.Seq, e.Time}
	if t.epoch.Began.Seq == e.Seq && t.epoch.Why == WhyUnknown {
		t.epoch.Why = WhyFloor
	}
	if t.open == nil {
		t.open = &Reconstruction{Result: Open, Opened: m, HashFrom: p.PreviousHash, FoundFile: p.FoundFileBLAKE3,
			FoundEpoch: p.FoundFileEpoch, Changed: []string{}, OSRelease: []replay.Line{}, Attempts: []*Attempt{}}
	}
	a := t.attempt(e)
	a.Attempt, a.LastAttempt, a.Resumed, a.Supersedes, a.Target = p.Attempt, p.Attempt, false, p.Supersedes, p.CurrentHash
	t.run.ended = false
	o := t.open
	for _, c := range p.Causes {
		if !slices.Contains(o.Causes, string(c)) {
			o.Causes = append(o.Causes, string(c))
			t.flagCause(c, m, p)
		}
	}
	o.Cause, o.HashTo = string(p.Cause), p.CurrentHash
	if p.Supersedes != 0 {
		t.flag(FlagUpdateSuperseded, m, "record %d replaces the target of record %d", e.Seq, p.Supersedes)
	}
	t.compare(p)
}

// compare says how the live system differs from the baseline.
func (t *teller) compare(p machine.UpdateDetected) {
	o, now := t.open, t.run.captured
	o.Changed = append([]string{}, p.Changed...)
	o.OSRelease, o.OSReleaseTruncated, o.KernelFrom, o.KernelTo, o.Compared = []replay.Line{}, false, "", "", false
	if now == nil {
		return
	}
	o.KernelTo = now.Inputs.UnameRelease
	if t.base == nil {
		return
	}
	o.Compared = true
	o.KernelFrom = t.base.UnameRelease
	if now.OSRelease != nil { // absent where it matches the baseline
		o.OSRelease = append(o.OSRelease, replay.CompareLines(t.base.OSRelease, *now.OSRelease)...)
		o.OSReleaseTruncated = replay.Truncated(t.base, &machine.Baseline{Inputs: now.Inputs, OSReleaseTruncated: now.OSReleaseTruncated})
	}
}

func (t *teller) flagCause(c machine.Cause, m Moment, p machine.UpdateDetected) {
	switch c {
	case machine.CauseTampered:
		t.flag(FlagFingerprintTamper, m, "file %s", short(p.FoundFileBLAKE3))
	case machine.CauseForeign:
		t.flag(FlagForeignWriter, m, "file %s", short(p.FoundFileBLAKE3))
	case machine.CauseDrift:
		t.flag(FlagRuntimeDrift, m, "record %d", m.Seq)
	case machine.CauseDrill:
		t.flag(FlagDrill, m, "record %d", m.Seq)
	}
}

func (t *teller) verified(e machine.Event, p machine.ManifestVerified) {
	if t.open == nil {
		t.note(string(e.Meta.Kind), Moment{e.Seq, e.Time}, "a manifest that was there before the first run verified under key %s; nothing of it was applied", short(p.KeyBLAKE3))
		return
	}
	t.attempt(e).Verified = &Verified{Seq: e.Seq, ManifestHash: p.ManifestHash, Serial: p.Serial, KeyBLAKE3: p.KeyBLAKE3, Operations: p.Operations}
}

func (t *teller) applied(e machine.Event, p machine.OpApplied) {
	if t.open == nil {
		return // no gate writes this: verify --deep says so
	}
	if !p.HashPinned {
		t.flag(FlagHashNotPinned, Moment{e.Seq, e.Time}, "%s", p.Dst)
	}
	a := t.attempt(e)
	a.Applied = keep(a.Applied, Applied{Seq: e.Seq, Index: p.Index, Op: p.Op, Dst: p.Dst, Bytes: p.Bytes,
		BLAKE3: p.BLAKE3, Mode: p.Mode, HashPinned: p.HashPinned, AlreadyInPlace: p.AlreadyInPlace},
		fewOperations, func(Applied, []Applied) { a.AppliedOmitted++ })
}

// rotated: the commit. The record's own epoch is the new one already.
func (t *teller) rotated(e machine.Event, p machine.EpochRotated) {
	m := Moment{e.Seq, e.Time}
	t.base, _ = machine.BaselineOf(e)
	t.epoch.Why, t.epoch.System = WhyReconstruction, systemOf(t.base)
	if t.serial != nil && p.ManifestSerial != nil && *p.ManifestSerial < *t.serial {
		t.flag(FlagSerialLowered, m, "from %d to %d", *t.serial, *p.ManifestSerial)
	}
	if p.ManifestSerial != nil {
		t.serial = p.ManifestSerial
	}
	t.run.ended, t.run.drill, t.due = true, false, false
	if t.open == nil {
		return // its beginning is not among the records
	}
	t.attempt(e).Result = Completed
	t.open.DurationMS = p.DurationMS
	t.epoch.Reconstruction = t.close(Completed, m)
}

func (t *teller) abandoned(e machine.Event, p machine.UpdateAbandoned) {
	m := Moment{e.Seq, e.Time}
	t.run.ended = t.mayEnd()
	t.flag(FlagUpdateAbandoned, m, "%s", p.Reason)
	if t.open == nil {
		return
	}
	t.attempt(e).Result = Abandoned
	t.open.Reason = p.Reason
	t.epoch.keepUpdate(t.close(Abandoned, m))
}

// close ends the open reconstruction.
func (t *teller) close(r Result, at Moment) *Reconstruction {
	o := t.open
	t.open = nil
	o.Result, o.Closed = r, &at
	o.spent(at)
	return o
}

func (r *Reconstruction) spent(until Moment) { r.WallMS = until.Time.Sub(r.Opened.Time).Milliseconds() }
