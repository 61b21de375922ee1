package history

import (
	"bytes"
	"cmp"
	"errors"
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

// arrange reads all lines once. It finds the place of each record by its own
// seq, so that a line that is there twice, or two exports that overlap, hide
// none. A line that is no record, and names no seq, has the place after the line
// before it. What is no record, missing, out of order, or there twice and not
// the same is e.damage. A record of a newer version is none of these.
func (e *export) arrange() error {
	var rec record.Record // used again, so that its strings are kept
	var newest uint64     // the highest place so far
	var tip, at uint64    // lines: of the newest record, and the one that is read
	for line, err := range e.lines(0) {
		if err != nil && !IsDamage(err) {
			return err
		}
		seq, id := uint64(0), e.id
		isRecord := false
		if err == nil {
			err = rec.Parse(line)
			isRecord = err == nil || errors.Is(err, errs.ErrNewer)
			seq, id = rec.Seq, rec.Journal
			if err != nil {
				seq, _ = record.EnvelopeNumber(line, "seq")
				id = string(record.EnvelopeText(line, "journal"))
			}
		}
		isRecord = isRecord && seq > 0
		if e.first == 0 && isRecord {
			e.begin(id, seq, at)
		}
		due := e.due()
		switch {
		case !isRecord:
			e.damaged(e.noRecord(err, due, at))
		case id != e.id: // its number says nothing of this one
			e.damaged(&errs.Error{Kind: journal.ErrForeign, Path: e.path, Seq: due, Next: nextExport,
				Detail: fmt.Sprintf("read an export: line %d is a record of another journal", at+1)})
		case seq < newest && !e.covered(seq):
			e.damaged(e.corrupt(seq, "line %d is record %d, which is out of order: a later one was there before", at+1, seq))
		}
		if seq == 0 || id != e.id {
			seq, isRecord = due, false
		}
		if e.first == 0 { // no line was a record yet
			at++
			continue
		}
		switch n := len(e.segments); {
		case n > 0 && seq == due:
			e.segments[n-1].last = seq
		case n == maxSegments:
			e.damaged(e.corrupt(seq, "its lines are in disorder from line %d on", at+1))
			return e.setHash(tip)
		default:
			e.segments = append(e.segments, segment{seq, seq, at})
		}
		if isRecord && seq > e.tip.Seq {
			e.tip.Seq, tip = seq, at
		}
		newest = max(newest, seq)
		at++
	}
	if e.tip.Seq == 0 {
		e.damaged(&errs.Error{Kind: journal.ErrTorn, Path: e.path, Detail: "read an export: it holds no whole record", Next: nextExport})
		return nil
	}
	if e.torn {
		e.damage = &errs.Error{Kind: journal.ErrTorn, Path: e.path, Seq: newest + 1, Err: e.damage, Next: nextExport,
			Detail: "read an export: it ends in a part of a record; what comes after the line before it is missing"}
	}
	if len(e.segments) > 1 {
		e.complete()
		if err := e.again(); err != nil {
			return err
		}
	}
	return e.setHash(tip)
}

// begin takes the first record, which is in line at. The lines before it have
// the places before it, as far as there are any.
func (e *export) begin(id string, seq, at uint64) {
	before := min(at, seq-1)
	e.id, e.first = id, seq-before
	if before > 0 {
		e.segments = append(e.segments, segment{e.first, seq - 1, at - before})
	}
}

// due is the place after the line before.
func (e *export) due() uint64 {
	if n := len(e.segments); n > 0 {
		return e.segments[n-1].last + 1
	}
	return max(e.first, 1)
}

// setHash reads the hash of the tip, which is in this line.
func (e *export) setHash(at uint64) error {
	for line, err := range e.lines(at) {
		e.tip.Hash = record.HashOf(line)
		return err
	}
	return nil
}

// noRecord says what is wrong with a line that is no record.
func (e *export) noRecord(err error, seq, at uint64) error {
	var cause *errs.Error
	if !errors.As(err, &cause) {
		return e.corrupt(seq, "line %d is a record without a seq", at+1) // of a newer version
	}
	if cause.Path != "" {
		return err // it is longer than any record
	}
	return &errs.Error{Kind: cause.Kind, Path: e.path, Seq: seq, Err: cmp.Or(cause.Err, errors.New(cause.Detail)), Next: nextExport,
		Detail: fmt.Sprintf("read an export: line %d is no record", at+1)}
}

// damaged keeps the first damage that is found.
func (e *export) damaged(err error) { e.damage = cmp.Or(e.damage, err) }

// covered reports whether a record has a place already.
func (e *export) covered(seq uint64) bool {
	return slices.ContainsFunc(e.segments, func(s segment) bool { return s.first <= seq && seq <= s.last })
}

// complete takes first from all segments, and looks for a gap.
func (e *export) complete() {
	sorted := slices.SortedFunc(slices.Values(e.segments), func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	e.first = sorted[0].first
	last := sorted[0].last
	for _, s := range sorted[1:] {
		if s.first > last+1 {
			e.damaged(e.corrupt(last+1, "the records %d to %d are missing", last+1, s.first-1))
		}
		last = max(last, s.last)
	}
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
		case err != nil && !IsDamage(err):
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
