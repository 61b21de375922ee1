package gate

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/autonomyops/edged/machine"
)

// loop is the heart: Decide returns the next step, perform carries it out and
// returns the event, append makes it durable and changes the state.
func (r *run) loop(context.Context) *Failure {
	for {
		step := machine.Decide(r.history.state, r.seen)
		if _, done := step.(machine.Done); done {
			return nil
		}
		payload, f := r.perform(step)
		if f != nil {
			return f
		}
		if _, f := r.append(payload); f != nil {
			return f
		}
		r.announce(payload)
	}
}

// perform is the only place with effects. It returns the event of the step.
func (r *run) perform(step machine.Step) (machine.Payload, *Failure) {
	switch s := step.(type) {
	case machine.Adopt:
		return r.adopted(), nil
	case machine.Capture:
		return r.captured(s.Role), nil
	case machine.Record:
		if _, abandoned := s.Payload.(machine.UpdateAbandoned); abandoned && r.history.state.Open.Manifest != nil {
			r.sweep(r.history.state.Open.Manifest.Seq)
		}
		return s.Payload, nil
	case machine.VerifyManifest:
		return r.verifyManifest(s.First)
	case machine.ApplyOperation:
		return r.applyOperation(s.Index)
	case machine.Rotate:
		return r.rotate()
	}
	return nil, r.unusable(fmt.Errorf("no way to perform %T", step), "precheck: undecided", "this is a defect of edged; report it with the journal")
}

// announce logs what an event means to the operator. A clean boot says nothing.
func (r *run) announce(p machine.Payload) {
	switch p := p.(type) {
	case machine.FingerprintCaptured:
		if p.Role == machine.RoleInitial {
			r.log.Info("edge.os.fingerprint_initialized", slog.String("composite_hash", p.CompositeHash))
		}
	case machine.LegacyStateAdopted:
		r.log.Info("edge.os.legacy_state_adopted", slog.Uint64("boot_epoch", p.BootEpoch), slog.String("composite_hash", p.CompositeHash))
	case machine.ProjectionRepaired:
		r.log.Warn("edge.projection.repaired", slog.String("path", p.Path), slog.String("reason", p.Reason))
	case machine.UpdateDetected:
		r.announceUpdate(p.Changed)
	case machine.UpdateAbandoned:
		r.log.Warn("edge.os.update_abandoned", slog.Uint64("update_seq", p.UpdateSeq), slog.String("reason", p.Reason))
	case machine.EpochRotated:
		r.log.Info("edge.os.reconstruction_completed",
			slog.Float64("duration_seconds", float64(p.DurationMS)/1000), slog.Uint64("boot_epoch", p.BootEpoch))
	}
}

// announceUpdate logs the open update, whether it was opened now or by a
// boot that did not end.
func (r *run) announceUpdate(changed []string) {
	open := r.history.state.Open
	r.log.Warn("edge.os.update_detected",
		slog.String("previous_hash", open.Previous), slog.String("current_hash", open.Target), slog.Any("changed", changed),
		slog.String("cause", string(open.Cause)), slog.Int("attempt", open.Attempt))
	r.rebuild.announced = true
}
