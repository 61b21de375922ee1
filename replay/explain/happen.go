package explain

import (
	"cmp"
	"fmt"

	"github.com/autonomyops/edged/machine"
)

// happen tells one event.
func (t *teller) happen(e machine.Event) {
	m := Moment{e.Seq, e.Time}
	if isBoot(e.Payload) {
		t.run.gate = true
	}
	switch p := e.Payload.(type) {
	case machine.FingerprintCaptured:
		t.captured(e, p)
	case machine.LegacyStateAdopted:
		t.adopted(e, p)
	case machine.UpdateDetected:
		t.detected(e, p)
	case machine.ManifestVerified:
		t.verified(e, p)
	case machine.OpApplied:
		t.applied(e, p)
	case machine.EpochRotated:
		t.rotated(e, p)
	case machine.UpdateAbandoned:
		t.abandoned(e, p)
	case machine.PrecheckFailed:
		t.failed(e, p)
	case machine.JournalSalvaged:
		t.epoch.Why, t.due = WhySalvaged, true
		t.serial = p.Serial
		kept, were := fmt.Sprintf("%d records", p.Size), "were"
		if p.Size == 1 {
			kept, were = "1 record", "was"
		}
		t.flag(FlagSalvaged, m, "from journal %s, %s kept; lost: %s", cmp.Or(p.Predecessor, "unknown"), kept, p.Lost)
		t.note(string(e.Meta.Kind), m, "continues journal %s, of which %s %s kept; lost: %s; %s", cmp.Or(p.Predecessor, "unknown"), kept, were, p.Lost, by(p.By, p.Reason))
	case machine.ProjectionRepaired:
		t.flag(FlagProjectionRepaired, m, "%s: %s", p.Path, p.Reason)
		t.note(string(e.Meta.Kind), m, "%s was %s and was made again", p.Path, p.Reason)
	case machine.HeadRebuilt:
		t.flag(FlagHeadRebuilt, m, "%s", p.Found)
		t.note(string(e.Meta.Kind), m, "the head file was made again for record %d: %s", p.Seq, p.Found)
	case machine.CertificateRotated:
		t.note(string(e.Meta.Kind), m, "the certificate was re-issued, valid to %s", p.NotAfter.UTC().Format(timeForm))
	case machine.DrillRequested:
		t.run.drill = true
		t.note(string(e.Meta.Kind), m, "a drill was requested by %s", by(p.By, p.Reason))
	case machine.DrillCancelled:
		t.run.drill = false
		t.note(string(e.Meta.Kind), m, "the drill was cancelled by %s", by(p.By, p.Reason))
	case machine.KeyRotated:
		t.flag(FlagKeyRotated, m, "%s key %s", p.Purpose, short(p.NewKey))
		t.note(string(e.Meta.Kind), m, "the %s key %s is followed by %s: the old key signed it", p.Purpose, short(p.OldKey), short(p.NewKey))
	case machine.KeyReplaced:
		t.flag(FlagKeyReplaced, m, "%s key %s, by %s", p.Purpose, short(p.NewKey), by(p.By, p.Reason))
		t.note(string(e.Meta.Kind), m, "the %s key was replaced by %s without the old one, by %s", p.Purpose, short(p.NewKey), by(p.By, p.Reason))
	case machine.ClockReset:
		t.flag(FlagClockReset, m, "from %s to %s, by %s", p.Old.UTC().Format(timeForm), p.New.UTC().Format(timeForm), by(p.By, p.Reason))
		t.note(string(e.Meta.Kind), m, "the time floor was lowered from %s to %s by %s", p.Old.UTC().Format(timeForm), p.New.UTC().Format(timeForm), by(p.By, p.Reason))
	case machine.NodeRenamed:
		t.report.Node = p.New
		t.flag(FlagNodeRenamed, m, "from %s to %s", p.Old, p.New)
		t.note(string(e.Meta.Kind), m, "the node %s was renamed to %s by %s", p.Old, p.New, by(p.By, p.Reason))
	case machine.Unknown:
		t.flag(FlagUnknownKind, m, "%s", p.Name)
	}
}

// captured: a boot measured the live system.
func (t *teller) captured(e machine.Event, p machine.FingerprintCaptured) {
	m := Moment{e.Seq, e.Time}
	t.run.captured = &p
	if p.MountCheck == "skipped" {
		t.flag(FlagMountCheckSkipped, m, "filesystem %s", p.Filesystem)
	}
	if p.Clock.Wall.Before(p.Clock.Floor) {
		t.flag(FlagClockBelowFloor, m, "the clock said %s, the floor was %s", p.Clock.Wall.UTC().Format(timeForm), p.Clock.Floor.UTC().Format(timeForm))
	}
	if t.software != "" && p.Software != t.software {
		t.note("software", m, "the gate is %s, was %s", p.Software, t.software)
	}
	t.software = p.Software
	switch {
	case p.Role == machine.RoleInitial:
		t.base, _ = machine.BaselineOf(e)
		t.epoch.System = systemOf(t.base)
		if t.epoch.Why == WhyFirstRun {
			t.epoch.Began = m
		}
		t.run.ended = t.mayEnd()
	case t.open != nil:
		t.attempt(e)
	case p.Role == machine.RoleMatch:
		if t.epoch.System == nil { // the records begin after its baseline
			t.epoch.System = &System{CompositeHash: p.CompositeHash, Kernel: p.Inputs.UnameRelease}
		}
		t.run.ended = t.mayEnd()
	}
}

func (t *teller) adopted(e machine.Event, p machine.LegacyStateAdopted) {
	m := Moment{e.Seq, e.Time}
	t.base, _ = machine.BaselineOf(e)
	t.epoch.Why, t.epoch.Began, t.epoch.System = WhyAdopted, m, systemOf(t.base)
	t.due = p.BootEpoch > 0 || p.RuntimeDrift
	t.flag(FlagLegacyAdopted, m, "epoch %d", p.BootEpoch)
}

// failed: a boot ended with another exit code than 0.
func (t *teller) failed(e machine.Event, p machine.PrecheckFailed) {
	m := Moment{e.Seq, e.Time}
	t.run.failed = true
	f := Failure{Seq: e.Seq, ExitCode: p.ExitCode, Stage: p.Stage, Path: p.Path, Reason: p.Reason}
	if t.open != nil && t.run.attempt != nil {
		t.run.attempt.Result, t.run.attempt.Failure = Failed, &f
		return
	}
	if n := len(t.epoch.Failures); n > 0 {
		// In a row: no boot in between reached its end.
		before := t.epoch.Failures[n-1]
		clean := t.epoch.CleanBoots.Last
		if before.alike(&f) && (clean == nil || clean.Seq < before.Last.Seq) {
			before.Count++
			before.Last = m
			t.flag(FlagRepeatedFailure, m, "exit %d at %s, again and again from record %d", f.ExitCode, f.Stage, before.First.Seq)
			return
		}
	}
	t.epoch.keepFailures(&Failures{Failure: f, Count: 1, First: m, Last: m})
}

func by(who, reason string) string {
	if who == "" {
		return fmt.Sprintf("nobody named: %s", reason)
	}
	return who + ": " + reason
}

// short is the beginning of a hash, enough to tell two apart by eye.
func short(hash string) string { return hash[:min(len(hash), 12)] }
