package audit

import (
	"fmt"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal/record"
)

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

// hashOf gives the hash of a record, "" where there is none that can be read.
func hashOf(src *history.Source, seq uint64) string {
	for raw, err := range src.RawRecords(seq, seq) {
		if err == nil {
			return record.HashOf(raw.Raw).String()
		}
	}
	return ""
}
