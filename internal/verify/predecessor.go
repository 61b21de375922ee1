package verify

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// MaxPredecessors bounds the number of predecessors of a journal.
const MaxPredecessors = 1000

// Continues returns nil if src holds exactly the records that salvage s kept,
// otherwise the difference.
func Continues(s machine.JournalSalvaged, src *history.Source) error {
	tip := src.Tip()
	switch {
	case src.ID() != s.Predecessor:
		return fmt.Errorf("it holds journal %s, but the salvaged journal continues %s", src.ID(), s.Predecessor)
	case src.First() != 1:
		return fmt.Errorf("it begins at record %d", src.First())
	case tip.Seq != s.Size:
		return fmt.Errorf("it holds %d records, but the salvage kept %d", tip.Seq, s.Size)
	case tip.Hash.String() != s.LastHash:
		return fmt.Errorf("its last record's hash is %s, but the last one that the salvage kept is %s", tip.Hash, s.LastHash)
	}
	return nil
}

// Predecessors opens the kept records of the journals that src continues, newest
// first, up to the first that is missing. note says which one is missing and
// why; "" if none is. The caller closes them.
func Predecessors(src *history.Source) (kept []*history.Source, note string) {
	for at := src; len(kept) < MaxPredecessors; at = kept[len(kept)-1] {
		s, salvaged := replay.Salvaged(at)
		switch {
		case !salvaged:
			return kept, ""
		case s.Size == 0:
			return kept, fmt.Sprintf("journal %s continues journal %s, of which no record was kept; lost: %s", at.ID(), s.Predecessor, s.Lost)
		}
		before := keptRecords(src, s)
		if before == nil {
			return kept, fmt.Sprintf("journal %s continues journal %s, but the %d records kept of it are missing", at.ID(), s.Predecessor, s.Size)
		}
		kept = append(kept, before)
	}
	return kept, ""
}

// keptRecords searches a state root for the records that salvage s kept, and
// opens them. It returns nil if they are missing.
func keptRecords(src *history.Source, s machine.JournalSalvaged) *history.Source {
	if src.Kind() != history.StateRoot {
		return nil
	}
	entries, err := src.FS().ReadDir(".")
	if err != nil {
		return nil
	}
	names := []string{stateroot.PredecessorRecords} // written by salvage --out
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name, stateroot.JournalPrefix+".") {
			names = append(names, e.Name+"/"+stateroot.PredecessorRecords)
		}
	}
	for _, name := range names {
		before, err := history.Open(filepath.Join(src.Path(), filepath.FromSlash(name)))
		if err != nil {
			continue // this directory holds no kept records
		}
		if before.Kind() == history.Export && Continues(s, before) == nil {
			return before
		}
		_ = before.Close() // read-only
	}
	return nil
}

// Floors compares the salvage that began journal after with before, the kept
// records of its predecessor. It returns a sentence for each floor that is lower
// than the records reach, and for each key that differs. A floor may be higher:
// projections can prove more than the records that are left.
func Floors(after, before *history.Source) []string {
	rec, err := after.Record(1)
	if err != nil {
		return nil // reported by the chain
	}
	s, ok := replay.Salvaged(after)
	if !ok {
		return nil
	}
	state, _, err := replay.State(before, before.Tip().Seq)
	if err != nil {
		return []string{fmt.Sprintf("the salvage that began journal %s cannot be compared with the records kept of journal %s: %v", after.ID(), before.ID(), err)}
	}
	var wrong []string
	add := func(name string, carried, reached any) {
		wrong = append(wrong, fmt.Sprintf("the salvage that began journal %s carries %s %v, but the records kept of journal %s lead to %v",
			after.ID(), name, carried, before.ID(), reached))
	}
	if s.Epoch < state.Epoch {
		add("epoch", s.Epoch, state.Epoch)
	}
	if state.Serial != nil && (s.Serial == nil || *s.Serial < *state.Serial) {
		add("serial", serialText(s.Serial), *state.Serial)
	}
	if floor := state.TimeFloor(rec.Run); s.TimeFloor.Before(floor) {
		add("time floor", s.TimeFloor.Format(time.RFC3339Nano), floor.UTC().Format(time.RFC3339Nano))
	}
	if key := state.Keys.Newest(); key != "" && s.ManifestKey != key {
		add("manifest key", strconv.Quote(s.ManifestKey), key)
	}
	if key := state.Keys.Checkpoint; key != "" && s.CheckpointKey != key {
		add("checkpoint key", strconv.Quote(s.CheckpointKey), key)
	}
	return wrong
}

func serialText(serial *int64) string {
	if serial == nil {
		return "none"
	}
	return fmt.Sprint(*serial)
}
