package main

import (
	"context"
	"iter"

	"github.com/autonomyops/edged/internal/evidence"
	"github.com/autonomyops/edged/journal"
)

// interrupted is a history whose stream ends when the command is interrupted.
type interrupted struct {
	*evidence.Source
	ctx context.Context
}

// RawRecords implements export.Source.
func (i interrupted) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for raw, err := range i.Source.RawRecords(from, to) {
			if raw.Seq%1024 == 0 && i.ctx.Err() != nil {
				yield(journal.RawRecord{}, i.ctx.Err())
				return
			}
			if !yield(raw, err) {
				return
			}
		}
	}
}
