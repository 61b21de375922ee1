package explain

import (
	"slices"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// attempt returns the attempt of the newest run at the open reconstruction, and
// adds it if there is none. An attempt without an UpdateDetected of its own
// resumes an interrupted one.
func (b *builder) attempt(e machine.Event) *Attempt {
	if b.run.attempt != nil {
		return b.run.attempt
	}
	n := b.open.attempts()
	b.run.attempt = &Attempt{Attempt: n, LastAttempt: n, Resumed: true, Target: b.open.HashTo, Run: e.Run, BootID: e.BootID,
		First: Moment{e.Seq, e.Time}, Last: Moment{e.Seq, e.Time}, Applied: []Applied{}, Boots: 1, of: b.open}
	b.open.keepAttempt(b.run.attempt)
	return b.run.attempt
}

// attempts returns the number of the newest attempt.
func (r *Reconstruction) attempts() int {
	if n := len(r.Attempts); n > 0 {
		return r.Attempts[n-1].LastAttempt
	}
	return 1
}

func (b *builder) detected(e machine.Event, p machine.UpdateDetected) {
	m := Moment{e.Seq, e.Time}
	if b.epoch.Began.Seq == e.Seq && b.epoch.Why == WhyUnknown {
		b.epoch.Why = WhyFloor
	}
	if b.open == nil {
		b.open = &Reconstruction{Result: Open, Opened: m, HashFrom: p.PreviousHash, FoundFile: p.FoundFileBLAKE3,
			FoundEpoch: p.FoundFileEpoch, Changed: []string{}, OSRelease: []replay.Line{}, Attempts: []*Attempt{}}
	}
	a := b.attempt(e)
	a.Attempt, a.LastAttempt, a.Resumed, a.Supersedes, a.Target = p.Attempt, p.Attempt, false, p.Supersedes, p.CurrentHash
	b.run.ended = false
	o := b.open
	for _, c := range p.Causes {
		if !slices.Contains(o.Causes, string(c)) {
			o.Causes = append(o.Causes, string(c))
			b.flagCause(c, m, p)
		}
	}
	o.Cause, o.HashTo = string(p.Cause), p.CurrentHash
	if p.Supersedes != 0 {
		b.flag(FlagUpdateSuperseded, m, "record %d replaces the target of record %d", e.Seq, p.Supersedes)
	}
	b.compare(p)
}

// compare sets the differences between the live system and the baseline.
func (b *builder) compare(p machine.UpdateDetected) {
	o, now := b.open, b.run.captured
	o.Changed = append([]string{}, p.Changed...)
	o.OSRelease, o.OSReleaseTruncated, o.KernelFrom, o.KernelTo, o.Compared = []replay.Line{}, false, "", "", false
	if now == nil {
		return
	}
	o.KernelTo = now.Inputs.UnameRelease
	if b.base == nil {
		return
	}
	o.Compared = true
	o.KernelFrom = b.base.UnameRelease
	if now.OSRelease != nil { // absent if it matches the baseline
		o.OSRelease = append(o.OSRelease, replay.CompareLines(b.base.OSRelease, *now.OSRelease)...)
		o.OSReleaseTruncated = replay.Truncated(b.base, &machine.Baseline{Inputs: now.Inputs, OSReleaseTruncated: now.OSReleaseTruncated})
	}
}

func (b *builder) flagCause(c machine.Cause, m Moment, p machine.UpdateDetected) {
	switch c {
	case machine.CauseTampered:
		b.flag(FlagFingerprintTamper, m, "file %s", short(p.FoundFileBLAKE3))
	case machine.CauseForeign:
		b.flag(FlagForeignWriter, m, "file %s", short(p.FoundFileBLAKE3))
	case machine.CauseDrift:
		b.flag(FlagRuntimeDrift, m, "record %d", m.Seq)
	case machine.CauseDrill:
		b.flag(FlagDrill, m, "record %d", m.Seq)
	}
}

func (b *builder) verified(e machine.Event, p machine.ManifestVerified) {
	if b.open == nil {
		b.note(string(e.Meta.Kind), Moment{e.Seq, e.Time}, "the manifest at the first run verified under key %s; no operation of it was applied", short(p.KeyBLAKE3))
		return
	}
	b.attempt(e).Verified = &Verified{Seq: e.Seq, ManifestHash: p.ManifestHash, Serial: p.Serial, KeyBLAKE3: p.KeyBLAKE3, Operations: p.Operations}
}

func (b *builder) applied(e machine.Event, p machine.OpApplied) {
	if b.open == nil {
		return // no gate writes this; verify --deep reports it
	}
	if !p.HashPinned {
		b.flag(FlagHashNotPinned, Moment{e.Seq, e.Time}, "%s", p.Dst)
	}
	a := b.attempt(e)
	a.Applied = keep(a.Applied, Applied{Seq: e.Seq, Index: p.Index, Op: p.Op, Dst: p.Dst, Bytes: p.Bytes,
		BLAKE3: p.BLAKE3, Mode: p.Mode, HashPinned: p.HashPinned, AlreadyInPlace: p.AlreadyInPlace},
		fewOperations, func(Applied, []Applied) { a.AppliedOmitted++ })
}

// rotated adds the commit of a reconstruction. The record's epoch is the new one.
func (b *builder) rotated(e machine.Event, p machine.EpochRotated) {
	m := Moment{e.Seq, e.Time}
	b.base, _ = machine.BaselineOf(e)
	b.epoch.Why, b.epoch.System = WhyReconstruction, systemOf(b.base)
	if b.serial != nil && p.ManifestSerial != nil && *p.ManifestSerial < *b.serial {
		b.flag(FlagSerialLowered, m, "from %d to %d", *b.serial, *p.ManifestSerial)
	}
	if p.ManifestSerial != nil {
		b.serial = p.ManifestSerial
	}
	b.run.ended, b.run.drill, b.due = true, false, false
	if b.open == nil {
		return // the reconstruction began before the first record here
	}
	b.attempt(e).Result = Completed
	b.open.DurationMS = p.DurationMS
	b.epoch.Reconstruction = b.close(Completed, m)
}

func (b *builder) abandoned(e machine.Event, p machine.UpdateAbandoned) {
	m := Moment{e.Seq, e.Time}
	b.run.ended = b.mayEnd()
	b.flag(FlagUpdateAbandoned, m, "%s", p.Reason)
	if b.open == nil {
		return
	}
	b.attempt(e).Result = Abandoned
	b.open.Reason = p.Reason
	b.epoch.keepUpdate(b.close(Abandoned, m))
}

// close ends the open reconstruction.
func (b *builder) close(r Result, at Moment) *Reconstruction {
	o := b.open
	b.open = nil
	o.Result, o.Closed = r, &at
	o.spent(at)
	return o
}

// spent sets the wall time from the opening to until.
func (r *Reconstruction) spent(until Moment) { r.WallMS = until.Time.Sub(r.Opened.Time).Milliseconds() }
