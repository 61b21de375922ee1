package history

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"slices"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// segment is a part of an export whose lines are the records first to last,
// each one after the other.
type segment struct {
	first, last uint64
	line        uint64 // where it begins
}

// maxSegments bounds what is kept of an export in disorder.
const maxSegments = 4096

// arrange finds the place of each record by its own seq: a line that is there
// twice, or two exports that overlap, hide none. A line that is no record has
// the place after the line before it. What is missing, out of order, or there
// twice and not the same, is e.damage.
func (e *export) arrange() error {
	var newest uint64 // the highest place so far
	at := uint64(0)   // the line
	for line, err := range e.lines(0) {
		if err != nil && !isDamage(err) {
			return err
		}
		due := e.first
		if n := len(e.segments); n > 0 {
			due = e.segments[n-1].last + 1
		}
		seq, ok := record.EnvelopeNumber(line, "seq")
		switch {
		case err != nil || !ok || seq == 0:
			seq = due
			e.damaged(e.corrupt(due, "line %d is no record", at+1))
		case e.id != string(record.EnvelopeText(line, "journal")): // its number says nothing of this one
			e.damaged(&errs.Error{Kind: journal.ErrForeign, Path: e.path, Seq: due, Next: nextExport,
				Detail: fmt.Sprintf("read an export: line %d is a record of another journal", at+1)})
			seq = due
		case seq < newest && !e.covered(seq):
			e.damaged(e.corrupt(seq, "line %d is record %d, which is out of order: a later one was there before", at+1, seq))
		}
		switch n := len(e.segments); {
		case n > 0 && seq == due:
			e.segments[n-1].last = seq
		case n == maxSegments:
			e.damaged(e.corrupt(seq, "its lines are in disorder from line %d on", at+1))
			return nil
		default:
			e.segments = append(e.segments, segment{seq, seq, at})
		}
		newest = max(newest, seq)
		at++
	}
	if e.torn {
		e.damaged(&errs.Error{Kind: journal.ErrTorn, Path: e.path, Seq: newest + 1, Next: nextExport,
			Detail: "read an export: it ends in a part of a record; what comes after the line before it is missing"})
	}
	if len(e.segments) < 2 {
		return nil
	}
	if err := e.complete(); err != nil {
		return err
	}
	return e.again()
}

// damaged keeps the first damage that is found.
func (e *export) damaged(err error) { e.damage = cmp.Or(e.damage, err) }

// covered reports whether a record has a place already.
func (e *export) covered(seq uint64) bool {
	return slices.ContainsFunc(e.segments, func(s segment) bool { return s.first <= seq && seq <= s.last })
}

// complete takes first and tip from all segments, and looks for a gap.
func (e *export) complete() error {
	sorted := slices.SortedFunc(slices.Values(e.segments), func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	e.first = sorted[0].first
	last := sorted[0].last
	for _, s := range sorted[1:] {
		if s.first > last+1 {
			e.damaged(e.corrupt(last+1, "the records %d to %d are missing", last+1, s.first-1))
		}
		last = max(last, s.last)
	}
	if last == e.tip.Seq {
		return nil
	}
	tip := e.tip
	e.tip.Seq = last
	rec, err := e.Record(last)
	switch {
	case err == nil:
		e.tip = record.Tip{Seq: rec.Seq, Hash: rec.Hash}
	case isDamage(err):
		e.damaged(err)
		e.tip = tip
	default:
		return err
	}
	return nil
}

// again compares the lines whose records are there before with those.
func (e *export) again() error {
	for i, s := range e.segments[1:] {
		for _, before := range e.segments[:i+1] {
			from, to := max(s.first, before.first), min(s.last, before.last)
			if from > to {
				continue
			}
			if err := e.same(from, to, s, before); err != nil {
				return err
			}
		}
	}
	return nil
}

// same compares the records from to to of two segments.
func (e *export) same(from, to uint64, a, b segment) error {
	next, stop := iter.Pull2(e.lines(b.line + from - b.first))
	defer stop()
	seq := from
	for line, err := range e.lines(a.line + from - a.first) {
		other, broken, _ := next()
		switch err := cmp.Or(err, broken); {
		case err != nil && !isDamage(err):
			return err
		case err != nil || !bytes.Equal(line, other):
			e.damaged(e.corrupt(seq, "record %d is there twice, and not the same", seq))
		}
		if seq++; seq > to {
			break
		}
	}
	return nil
}

// inPlace streams the lines of the records from to to by their places.
func (e *export) inPlace(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for seq := from; seq <= to; {
			i := slices.IndexFunc(e.segments, func(s segment) bool { return s.first <= seq && seq <= s.last })
			if i < 0 {
				yield(journal.RawRecord{}, e.corrupt(seq, "the record is missing"))
				return
			}
			s := e.segments[i]
			for line, err := range e.lines(s.line + seq - s.first) {
				if !yield(journal.RawRecord{Seq: seq, Raw: line}, err) || err != nil {
					return
				}
				if seq++; seq > min(s.last, to) {
					break
				}
			}
			if seq <= min(s.last, to) {
				yield(journal.RawRecord{}, e.corrupt(seq, "it ends before record %d", to))
				return
			}
		}
	}
}
