package audit

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// maxPredecessors bounds how often a journal can have been salvaged.
const maxPredecessors = 1000

// predecessorName is the name of the n-th journal before this one, from 1.
func predecessorName(n int) string {
	if n == 1 {
		return stateroot.PredecessorRecords
	}
	return fmt.Sprintf("predecessor.%d.jsonl", n)
}

// isPredecessor reports whether a bundle's file is of a journal before this one.
func isPredecessor(name string) bool {
	return name == stateroot.PredecessorRecords || strings.HasPrefix(name, "predecessor.") && history.IsLines(name)
}

// continues reports whether src holds exactly the records that a salvage says
// it kept.
func continues(s machine.JournalSalvaged, src *history.Source) error {
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

// predecessors opens, from the newest back, the journals that src continues,
// as far as their records are beside it. The note says where they end and why;
// it is empty where the story is whole. The caller closes them.
func predecessors(src *history.Source) (kept []*history.Source, note string) {
	for at := src; len(kept) < maxPredecessors; at = kept[len(kept)-1] {
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
		if before.Kind() == history.Export && continues(s, before) == nil {
			return before
		}
		_ = before.Close() // read-only
	}
	return nil
}

// hashOf gives the hash of a record, "" where there is none that can be read.
func hashOf(src *history.Source, seq uint64) string {
	for raw, err := range src.RawRecords(seq, seq) {
		if err == nil {
			return record.HashOf(raw.Raw).String()
		}
	}
	return ""
}
