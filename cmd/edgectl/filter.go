package main

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// filter says which records a log shows. A member that is not set lets all pass.
type filter struct {
	types        []string
	epoch        uint64
	byEpoch      bool
	since, until time.Time
	boot, run    string
	snapshots    bool // show each SnapshotTaken, also if no type is asked for

	sinceText, untilText string // as records write them; see prepare
}

// prepare writes the times as records do: in one spelling, so that times order
// as their texts do.
func (f *filter) prepare() {
	if !f.since.IsZero() {
		f.sinceText = f.since.UTC().Format(record.TimeLayout)
	}
	if !f.until.IsZero() {
		f.untilText = f.until.UTC().Format(record.TimeLayout)
	}
}

// all reports whether nothing was filtered for.
func (f filter) all() bool {
	return len(f.types) == 0 && !f.byEpoch && f.since.IsZero() && f.until.IsZero() && f.boot == "" && f.run == ""
}

// unknown are the types asked for that this binary does not know.
func (f filter) unknown() []string {
	return slices.DeleteFunc(slices.Clone(f.types), func(t string) bool {
		return slices.ContainsFunc(recordTypes(), func(k string) bool { return strings.EqualFold(t, k) })
	})
}

// hides reports whether a record of this type is shown only on request: a
// SnapshotTaken is the journal's own bookkeeping.
func (f filter) hides(kind string) bool {
	return kind == string(machine.KindSnapshotTaken) && !f.snapshots && len(f.types) == 0
}

func (f filter) match(r record.Record) bool {
	switch {
	case f.hides(r.Type):
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

// maybe reports whether a record in canonical form may pass, from its bytes
// alone: most records of a long history need not be decoded. A member that is
// not found, or has an escape, is left to be decoded: what cannot be read may
// have passed. Epochs are not looked for by halving: they never go back, but
// one edited number would hide all records of another.
func (f filter) maybe(raw []byte) bool {
	kind := record.EnvelopeText(raw, "type")
	switch {
	case f.hides(string(kind)):
	case !begins(bootID(raw), f.boot):
	case !begins(record.EnvelopeText(raw, "run"), f.run):
	case f.byEpoch && !f.maybeEpoch(raw):
	case len(f.types) > 0 && !f.maybeType(kind):
	case f.sinceText+f.untilText != "" && !f.maybeTime(string(record.EnvelopeText(raw, "time"))):
	default:
		return true
	}
	return false
}

func (f filter) maybeType(kind []byte) bool {
	return len(kind) == 0 || bytes.IndexByte(kind, '\\') >= 0 ||
		slices.ContainsFunc(f.types, func(t string) bool { return strings.EqualFold(t, string(kind)) })
}

func (f filter) maybeEpoch(raw []byte) bool {
	n, ok := record.EnvelopeNumber(raw, "epoch")
	return !ok || n == f.epoch
}

func (f filter) maybeTime(at string) bool {
	return len(at) != len(record.TimeLayout) || at >= f.sinceText && (f.untilText == "" || at <= f.untilText)
}

// bootID is a record's boot id as it is written: its first member.
func bootID(raw []byte) []byte {
	rest, ok := bytes.CutPrefix(raw, []byte(`{"boot_id":"`))
	if !ok {
		return nil
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return value
}

// begins reports whether a text as it is written may begin with prefix.
func begins(value []byte, prefix string) bool {
	return bytes.IndexByte(value, '\\') >= 0 || bytes.HasPrefix(value, []byte(prefix[:min(len(prefix), len(value))]))
}

// lastLines keeps the newest lines of a stream.
type lastLines struct {
	limit int
	lines []string
	next  int // the index of the oldest one once the limit is reached
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

// all returns the lines kept, oldest first.
func (l *lastLines) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range l.lines {
			if !yield(l.lines[(l.next+i)%len(l.lines)]) {
				return
			}
		}
	}
}
