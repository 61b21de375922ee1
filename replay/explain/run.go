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
	gate           bool // it is a boot rather than a command
	ended          bool
	exit           int // of a failed boot
	captured       *machine.FingerprintCaptured
	attempt        *Attempt
	carried
}

// carried is the state that a run passes on to the next one.
type carried struct {
	// drill: a drill was requested, and no reconstruction followed yet. A boot
	// that found the baseline must then continue.
	drill bool
}

// inRun makes the run of rec the newest one. A SnapshotTaken does not count: it
// belongs to the journal, and not to the duration of a run.
func (b *builder) inRun(rec record.Record) {
	if machine.Kind(rec.Type) == machine.KindSnapshotTaken {
		return
	}
	m := Moment{rec.Seq, rec.Time}
	if b.run == nil || b.run.id != rec.Run {
		b.endRun(false)
		var left carried
		if b.run != nil {
			left = b.run.carried
		}
		b.run = &run{id: rec.Run, boot: rec.BootID, first: m, startMS: rec.UptimeMS, carried: left}
	}
	b.run.last, b.run.endMS = m, rec.UptimeMS
	if b.epoch != nil && b.epoch.Epoch != rec.Epoch {
		b.run.drill = false // the reconstruction that began the epoch answered it, even if it cannot be read
	}
}

// mayEnd reports whether a boot that found its baseline has nothing left to do.
func (b *builder) mayEnd() bool { return !b.due && !b.run.drill }

// endRun counts the newest run in its epoch. newest: no other run follows it.
func (b *builder) endRun(newest bool) {
	r := b.run
	if r == nil {
		return
	}
	if b.opt.Ran != nil {
		b.opt.Ran(Run{First: r.first, Last: r.last, Gate: r.gate, Ended: r.ended || r.exit != 0, ExitCode: r.exit})
	}
	if !r.gate {
		return
	}
	b.report.Boots++
	b.epoch.Boots++
	switch {
	case r.exit != 0:
	case !r.ended:
		detail := "the boot that began with record %d did not end: its last record is %d"
		if newest {
			detail = "the newest boot began with record %d and has not ended: its last record is %d"
		}
		b.flag(FlagBootUnfinished, r.last, detail, r.first.Seq, r.last.Seq)
	case r.attempt == nil && r.captured != nil && r.captured.Role != machine.RoleDiffers:
		b.epoch.CleanBoots.add(r.last)
	}
	if r.attempt != nil {
		b.endAttempt(r)
	}
}

func (b *Boots) add(m Moment) {
	b.Count++
	b.Last = &m
	if b.First == nil {
		b.First = &m
	}
}

// endAttempt sets the result of a run's attempt, and merges it with the one before
// if both failed alike.
func (b *builder) endAttempt(r *run) {
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
		b.flag(FlagRepeatedFailure, a.Last, "exit %d at %s, repeated since record %d", a.Failure.ExitCode, a.Failure.Stage, before.First.Seq)
	}
}

// alike reports whether b failed as a did, and applied nothing.
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
