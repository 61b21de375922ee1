package audit

import (
	"fmt"
	"time"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/replay"
)

// floors holds what a salvage says the journal before it had come to against
// its records, as far as they can be folded: no floor may be lower, and no key
// another. Higher is lawful: the files beside a journal can prove more than
// what is left of it.
func floors(after, before *history.Source) []string {
	rec, err := after.Record(1)
	if err != nil {
		return nil // found before
	}
	s, ok := replay.Salvaged(after)
	state, _, err := replay.State(before, before.Tip().Seq)
	if !ok || err != nil {
		return nil
	}
	var lower []string
	tell := func(format string, args ...any) { lower = append(lower, fmt.Sprintf(format, args...)) }
	if s.Epoch < state.Epoch {
		tell("epoch %d, they reached %d", s.Epoch, state.Epoch)
	}
	if state.Serial != nil && (s.Serial == nil || *s.Serial < *state.Serial) {
		tell("serial %s, they reached %d", serialText(s.Serial), *state.Serial)
	}
	if floor := state.TimeFloor(rec.Run); s.TimeFloor.Before(floor) {
		tell("time floor %s, they reached %s", s.TimeFloor.Format(time.RFC3339Nano), floor.UTC().Format(time.RFC3339Nano))
	}
	if key := state.Keys.Newest(); key != "" && s.ManifestKey != key {
		tell("manifest key %q, they lead to %s", s.ManifestKey, key)
	}
	if key := state.Keys.Checkpoint; key != "" && s.CheckpointKey != key {
		tell("checkpoint key %q, they lead to %s", s.CheckpointKey, key)
	}
	return lower
}

func serialText(serial *int64) string {
	if serial == nil {
		return "none"
	}
	return fmt.Sprint(*serial)
}
