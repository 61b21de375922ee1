package explain

import (
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// run is one invocation: a boot, or an operator's command.
type run struct {
	id, boot    string
	first, last Moment
	// startMS and endMS are uptimes.
	startMS, endMS int64
	gate           bool // it is a boot
	ended, failed  bool
	captured       *machine.FingerprintCaptured
	attempt        *Attempt
	carried
}

// carried is what one run leaves to the next.
type carried struct {
	// drill: one was requested and no reconstruction has answered it, so that a
	// boot which found the baseline has not ended yet.
	drill bool
}

// inRun makes rec's run the newest one. A SnapshotTaken is the journal's own
// bookkeeping: it is no part of what the run did, nor of its duration.
func (t *teller) inRun(rec record.Record) {
	if machine.Kind(rec.Type) == machine.KindSnapshotTaken {
		return
	}
	m := Moment{rec.Seq, rec.Time}
	if t.run == nil || t.run.id != rec.Run {
		t.endRun(false)
		var left carried
		if t.run != nil {
			left = t.run.carried
		}
		t.run = &run{id: rec.Run, boot: rec.BootID, first: m, startMS: rec.UptimeMS, carried: left}
	}
	t.run.last, t.run.endMS = m, rec.UptimeMS
	if t.epoch != nil && t.epoch.Epoch != rec.Epoch {
		t.run.drill = false // what began the epoch answered it, also where that cannot be read
	}
}

// mayEnd reports whether a boot that found its baseline has nothing left to do.
func (t *teller) mayEnd() bool { return !t.due && !t.run.drill }

// isBoot reports whether only a gate writes such an event.
func isBoot(p machine.Payload) bool {
	switch p.(type) {
	case machine.FingerprintCaptured, machine.LegacyStateAdopted, machine.UpdateDetected, machine.ManifestVerified,
		machine.OpApplied, machine.EpochRotated, machine.UpdateAbandoned, machine.PrecheckFailed, machine.CertificateRotated:
		return true
	}
	return false
}

// endRun closes the books of the newest run. newest: no other run follows it.
func (t *teller) endRun(newest bool) {
	r := t.run
	if r == nil || !r.gate {
		return
	}
	t.report.Boots++
	t.epoch.Boots++
	switch {
	case r.failed:
	case !r.ended:
		detail := "the boot that began with record %d breaks off after record %d"
		if newest {
			detail = "the newest boot began with record %d and has not come further than record %d"
		}
		t.flag(FlagBootUnfinished, r.last, detail, r.first.Seq, r.last.Seq)
	case r.attempt == nil && r.captured != nil && r.captured.Role != machine.RoleDiffers:
		t.epoch.CleanBoots.add(r.last)
	}
	if r.attempt != nil {
		t.endAttempt(r)
	}
}

func (b *Boots) add(m Moment) {
	b.Count++
	b.Last = &m
	if b.First == nil {
		b.First = &m
	}
}

// endAttempt settles what a boot did for a reconstruction.
func (t *teller) endAttempt(r *run) {
	a := r.attempt
	a.Last, a.UptimeMS = r.last, max(r.endMS-r.startMS, 0)
	rec := a.of
	if a.Result == "" {
		a.Result = Interrupted
		rec.Interrupted++
	}
	rec.GateMS += a.UptimeMS
	n := len(rec.Attempts)
	if n < 2 {
		return
	}
	if before := rec.Attempts[n-2]; before.alike(a) {
		before.add(a)
		rec.Attempts = rec.Attempts[:n-1]
		t.flag(FlagRepeatedFailure, a.Last, "exit %d at %s, again and again from record %d", a.Failure.ExitCode, a.Failure.Stage, before.First.Seq)
	}
}

// alike reports whether b failed as a did, and did no more than a.
func (a *Attempt) alike(b *Attempt) bool {
	if a.Failure == nil || b.Failure == nil || a.Target != b.Target || b.Supersedes != 0 || len(b.Applied) > 0 {
		return false
	}
	if (a.Verified == nil) != (b.Verified == nil) || a.Verified != nil && a.Verified.ManifestHash != b.Verified.ManifestHash {
		return false
	}
	return a.Failure.alike(b.Failure)
}

func (e *Event) alike(f *Event) bool { return e.Type == f.Type && e.Detail == f.Detail }

func (f *Failure) alike(g *Failure) bool {
	return f.ExitCode == g.ExitCode && f.Stage == g.Stage && f.Path == g.Path && f.Reason == g.Reason
}
