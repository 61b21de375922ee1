package main

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/autonomyops/edged/journal"
)

// filter says which records a log shows. A member that is not set lets all pass.
type filter struct {
	types        []string
	epoch        uint64
	byEpoch      bool
	since, until time.Time
	boot, run    string
}

// all reports whether everything passes.
func (f filter) all() bool {
	return len(f.types) == 0 && !f.byEpoch && f.since.IsZero() && f.until.IsZero() && f.boot == "" && f.run == ""
}

func (f filter) match(r journal.Record) bool {
	switch {
	case len(f.types) > 0 && !slices.ContainsFunc(f.types, func(t string) bool { return strings.EqualFold(t, r.Type) }):
	case f.byEpoch && r.Epoch != f.epoch:
	case !f.since.IsZero() && r.Time.Before(f.since):
	case !f.until.IsZero() && r.Time.After(f.until):
	case !strings.HasPrefix(r.BootID, f.boot):
	case !strings.HasPrefix(r.Run, f.run):
	default:
		return true
	}
	return false
}

// lastLines keeps the newest lines of a stream.
type lastLines struct {
	limit int
	lines []string
	next  int // where the oldest one stands once the limit is reached
}

// newLastLines keeps limit lines; 0 keeps none and lets all pass.
func newLastLines(limit int) *lastLines { return &lastLines{limit: limit} }

// add keeps a line, and reports whether it did.
func (l *lastLines) add(line string) bool {
	switch {
	case l.limit == 0:
		return false
	case len(l.lines) < l.limit:
		l.lines = append(l.lines, line)
	default:
		l.lines[l.next] = line
		l.next = (l.next + 1) % l.limit
	}
	return true
}

// all gives the lines kept, oldest first.
func (l *lastLines) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range l.lines {
			if !yield(l.lines[(l.next+i)%len(l.lines)]) {
				return
			}
		}
	}
}
