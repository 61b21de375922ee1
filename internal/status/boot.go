package status

import (
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// lastBoot sets LastBoot to the newest boot. It skips later records of operators.
func (s *Status) lastBoot(src *history.Source) error {
	for seq, first := src.Tip().Seq, src.First(); seq >= first; seq-- {
		rec, err := src.Record(seq)
		if err != nil {
			return err
		}
		if !machine.Kind(rec.Type).OfBoot() {
			continue
		}
		state, _, err := replay.State(src, seq)
		if err != nil {
			return err
		}
		s.LastBoot = outcome(state.Run)
		began, err := src.Record(max(state.Run.First, first))
		s.LastBoot.DurationMS = max(0, state.Run.Time.Sub(began.Time).Milliseconds()) // a clock may step back
		return err
	}
	return nil
}

func outcome(r machine.Run) *Boot {
	b := &Boot{Outcome: OutcomeUnfinished, Time: r.Time, BootID: r.BootID, Run: r.ID, Seq: r.First}
	exit := func(code int) { b.ExitCode = &code }
	switch {
	case r.Failed != 0:
		b.Outcome = OutcomeFailed
		exit(r.Failed)
	case r.Ended || r.Closed:
		b.Outcome = OutcomeOK
		exit(0)
	}
	return b
}
