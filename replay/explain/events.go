package explain

import (
	"cmp"
	"fmt"

	"github.com/autonomyops/edged/machine"
)

// event adds one event.
func (b *builder) event(e machine.Event) {
	m := Moment{e.Seq, e.Time}
	if e.Kind.OfBoot() {
		b.run.gate = true
	}
	switch p := e.Payload.(type) {
	case machine.FingerprintCaptured:
		b.captured(e, p)
	case machine.LegacyStateAdopted:
		b.adopted(e, p)
	case machine.UpdateDetected:
		b.detected(e, p)
	case machine.ManifestVerified:
		b.verified(e, p)
	case machine.OpApplied:
		b.applied(e, p)
	case machine.EpochRotated:
		b.rotated(e, p)
	case machine.UpdateAbandoned:
		b.abandoned(e, p)
	case machine.PrecheckFailed:
		b.failed(e, p)
	case machine.JournalSalvaged:
		b.epoch.Why, b.due = WhySalvaged, true
		b.serial = p.Serial
		kept, were := fmt.Sprintf("%d records", p.Size), "were"
		if p.Size == 1 {
			kept, were = "1 record", "was"
		}
		b.flag(FlagSalvaged, m, "from journal %s, %s kept; lost: %s", cmp.Or(p.Predecessor, "unknown"), kept, p.Lost)
		b.note(string(e.Meta.Kind), m, "continues journal %s, of which %s %s kept; lost: %s; %s", cmp.Or(p.Predecessor, "unknown"), kept, were, p.Lost, by(p.By, p.Reason))
	case machine.ProjectionRepaired:
		b.flag(FlagProjectionRepaired, m, "%s: %s", p.Path, p.Reason)
		b.note(string(e.Meta.Kind), m, "%s was %s and was written again", p.Path, p.Reason)
	case machine.HeadRebuilt:
		b.flag(FlagHeadRebuilt, m, "%s", p.Found)
		b.note(string(e.Meta.Kind), m, "the head file was written again for record %d: %s", p.Seq, p.Found)
	case machine.CertificateRotated:
		b.note(string(e.Meta.Kind), m, "the certificate was re-issued, valid to %s", p.NotAfter.UTC().Format(timeForm))
	case machine.DrillRequested:
		b.run.drill = true
		b.note(string(e.Meta.Kind), m, "a drill was requested by %s", by(p.By, p.Reason))
	case machine.DrillCancelled:
		b.run.drill = false
		b.note(string(e.Meta.Kind), m, "the drill was cancelled by %s", by(p.By, p.Reason))
	case machine.KeyRotated:
		b.flag(FlagKeyRotated, m, "%s key %s", p.Purpose, short(p.NewKey))
		b.note(string(e.Meta.Kind), m, "the %s key %s was rotated to %s: the old key signed it", p.Purpose, short(p.OldKey), short(p.NewKey))
	case machine.KeyReplaced:
		b.flag(FlagKeyReplaced, m, "%s key %s, by %s", p.Purpose, short(p.NewKey), by(p.By, p.Reason))
		b.note(string(e.Meta.Kind), m, "the %s key was replaced by %s without the old one, by %s", p.Purpose, short(p.NewKey), by(p.By, p.Reason))
	case machine.ClockReset:
		b.flag(FlagClockReset, m, "from %s to %s, by %s", p.Old.UTC().Format(timeForm), p.New.UTC().Format(timeForm), by(p.By, p.Reason))
		b.note(string(e.Meta.Kind), m, "the time floor was lowered from %s to %s by %s", p.Old.UTC().Format(timeForm), p.New.UTC().Format(timeForm), by(p.By, p.Reason))
	case machine.NodeRenamed:
		b.report.Node = p.New
		b.flag(FlagNodeRenamed, m, "from %s to %s", p.Old, p.New)
		b.note(string(e.Meta.Kind), m, "the node %s was renamed to %s by %s", p.Old, p.New, by(p.By, p.Reason))
	case machine.Unknown:
		b.flag(FlagUnknownKind, m, "%s", p.Name)
	}
}

// captured adds a boot's measurement of the live system.
func (b *builder) captured(e machine.Event, p machine.FingerprintCaptured) {
	m := Moment{e.Seq, e.Time}
	b.run.captured = &p
	if p.MountCheck == "skipped" {
		b.flag(FlagMountCheckSkipped, m, "filesystem %s", p.Filesystem)
	}
	if p.Clock.Wall.Before(p.Clock.Floor) {
		b.flag(FlagClockBelowFloor, m, "the clock said %s, but the floor was %s", p.Clock.Wall.UTC().Format(timeForm), p.Clock.Floor.UTC().Format(timeForm))
	}
	if b.software != "" && p.Software != b.software {
		b.note("software", m, "the gate changed from %s to %s", b.software, p.Software)
	}
	b.software = p.Software
	switch {
	case p.Role == machine.RoleInitial:
		b.base, _ = machine.BaselineOf(e)
		b.epoch.System = systemOf(b.base)
		if b.epoch.Why == WhyFirstRun {
			b.epoch.Began = m
		}
		b.run.ended = b.mayEnd()
	case b.open != nil:
		b.attempt(e)
	case p.Role == machine.RoleMatch:
		if b.epoch.System == nil { // the record of its baseline is not here
			b.epoch.System = &System{CompositeHash: p.CompositeHash, Kernel: p.Inputs.UnameRelease}
		}
		b.run.ended = b.mayEnd()
	}
}

func (b *builder) adopted(e machine.Event, p machine.LegacyStateAdopted) {
	m := Moment{e.Seq, e.Time}
	b.base, _ = machine.BaselineOf(e)
	b.epoch.Why, b.epoch.Began, b.epoch.System = WhyAdopted, m, systemOf(b.base)
	b.due = p.BootEpoch > 0 || p.RuntimeDrift
	b.flag(FlagLegacyAdopted, m, "epoch %d", p.BootEpoch)
}

// failed adds the failure of a boot.
func (b *builder) failed(e machine.Event, p machine.PrecheckFailed) {
	m := Moment{e.Seq, e.Time}
	b.run.exit = p.ExitCode
	f := Failure{Seq: e.Seq, ExitCode: p.ExitCode, Stage: p.Stage, Path: p.Path, Reason: p.Reason}
	if b.open != nil && b.run.attempt != nil {
		b.run.attempt.Result, b.run.attempt.Failure = Failed, &f
		return
	}
	if n := len(b.epoch.Failures); n > 0 {
		// Failures are in a row if there is no clean boot in between.
		before := b.epoch.Failures[n-1]
		clean := b.epoch.CleanBoots.Last
		if before.alike(&f) && (clean == nil || clean.Seq < before.Last.Seq) {
			before.Count++
			before.Last = m
			b.flag(FlagRepeatedFailure, m, "exit %d at %s, repeated since record %d", f.ExitCode, f.Stage, before.First.Seq)
			return
		}
	}
	b.epoch.keepFailures(&Failures{Failure: f, Count: 1, First: m, Last: m})
}

func by(who, reason string) string {
	if who == "" {
		return fmt.Sprintf("somebody unnamed: %s", reason)
	}
	return who + ": " + reason
}

// short returns the first 12 digits of a hash.
func short(hash string) string { return hash[:min(len(hash), 12)] }
