package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub"
)

// completeTypes completes a list of types, separated by commas.
func completeTypes(typed string) (words []string, whole bool) {
	given := typed[:strings.LastIndexByte(typed, ',')+1]
	for _, t := range recordTypes() {
		if !slices.Contains(strings.Split(given, ","), t) {
			words = append(words, given+t)
		}
	}
	return words, false
}

// completePoint completes a point in a history: its kind, then the epochs of the
// history that the rest of the command line names.
func (e *env) completePoint(typed string) (words []string, whole bool) {
	if !strings.HasPrefix(typed, "epoch:") {
		return []string{"seq:", "epoch:", "time:"}, false
	}
	words, whole = e.completeEpoch("")
	for i, n := range words {
		words[i] = "epoch:" + n
	}
	return words, whole
}

// completeEpoch lists the epochs of a history; none if it cannot be read.
func (e *env) completeEpoch(string) (words []string, whole bool) {
	if _, remote := hub.ParseRemote(e.target.journal); remote {
		return nil, true // a key press downloads nothing
	}
	path, err := e.evidence()
	if err != nil {
		return nil, true
	}
	src, err := history.Open(path)
	if err != nil {
		return nil, true
	}
	defer src.Close() //nolint:errcheck // read-only
	newest, err := src.Record(src.Tip().Seq)
	if err != nil {
		return nil, true
	}
	for n := range newest.Epoch + 1 {
		words = append(words, fmt.Sprint(n))
	}
	return words, true
}
