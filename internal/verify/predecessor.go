package verify

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// MaxPredecessors bounds how often a journal can have been salvaged.
const MaxPredecessors = 1000

// Continues reports whether src holds exactly the records that a salvage says
// it kept.
func Continues(s machine.JournalSalvaged, src *history.Source) error {
	tip := src.Tip()
	switch {
	case src.ID() != s.Predecessor:
		return fmt.Errorf("it holds journal %s, the salvaged one continues %s", src.ID(), s.Predecessor)
	case src.First() != 1:
		return fmt.Errorf("it begins at record %d", src.First())
	case tip.Seq != s.Size:
		return fmt.Errorf("it holds %d records, the salvage kept %d", tip.Seq, s.Size)
	case tip.Hash.String() != s.LastHash:
		return fmt.Errorf("its last record's hash is %s, the salvage kept up to %s", tip.Hash, s.LastHash)
	}
	return nil
}

// Predecessors opens, from the newest back, the journals that src continues,
// as far as their records are beside it. The note says where they end and why;
// it is empty where the story is whole. The caller closes them.
func Predecessors(src *history.Source) (kept []*history.Source, note string) {
	for at := src; len(kept) < MaxPredecessors; at = kept[len(kept)-1] {
		s, salvaged := replay.Salvaged(at)
		switch {
		case !salvaged:
			return kept, ""
		case s.Size == 0:
			return kept, fmt.Sprintf("of journal %s, which journal %s continues, nothing could be kept: lost is %s", s.Predecessor, at.ID(), s.Lost)
		}
		before := beside(src, s)
		if before == nil {
			return kept, fmt.Sprintf("the %d records kept of journal %s, which journal %s continues, are not beside it", s.Size, s.Predecessor, at.ID())
		}
		kept = append(kept, before)
	}
	return kept, ""
}

// beside looks through a state root for the records that a salvage kept.
func beside(src *history.Source, s machine.JournalSalvaged) *history.Source {
	if src.Kind() != history.StateRoot {
		return nil
	}
	entries, err := src.FS().ReadDir(".")
	if err != nil {
		return nil
	}
	names := []string{stateroot.PredecessorRecords} // as salvage --out leaves it
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name, stateroot.JournalPrefix+".") {
			names = append(names, e.Name+"/"+stateroot.PredecessorRecords)
		}
	}
	for _, name := range names {
		before, err := history.Open(filepath.Join(src.Path(), filepath.FromSlash(name)))
		if err != nil {
			continue // of a salvage that kept nothing, or of none
		}
		if before.Kind() == history.Export && Continues(s, before) == nil {
			return before
		}
		_ = before.Close() // read-only
	}
	return nil
}

// Floors compares what a salvage says of the journal before it with the records
// of that one. It returns what is wrong: no floor may be lower than the records
// reach, and no key another. A floor may be higher: the files beside a journal
// can prove more than what is left of it.
func Floors(after, before *history.Source) []string {
	rec, err := after.Record(1)
	if err != nil {
		return nil // found before
	}
	s, ok := replay.Salvaged(after)
	if !ok {
		return nil
	}
	state, _, err := replay.State(before, before.Tip().Seq)
	if err != nil {
		return []string{fmt.Sprintf("what journal %s says of journal %s before it cannot be compared with the records kept of that one: %v", after.ID(), before.ID(), err)}
	}
	var lower []string
	tell := func(format string, args ...any) {
		lower = append(lower, fmt.Sprintf("journal %s says that the records of journal %s before it came to ", after.ID(), before.ID())+fmt.Sprintf(format, args...))
	}
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
