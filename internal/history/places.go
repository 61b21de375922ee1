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

// segment is a run of lines of an export that hold the records first to last
// in order.
type segment struct {
	first, last uint64
	line        uint64 // the first line, from 0
}

// maxSegments bounds the memory for an export whose lines are out of order.
const maxSegments = 4096

// arrange reads all lines once. The place of each record is its own seq, so
// that repeated lines and overlapping exports hide no record. A line without a
// seq has the place after the line before it. e.damage is the first line that is
// not a record, out of order or missing, or that occurs twice and differs. A
// record of a newer version is not damage.
func (e *export) arrange() error {
	var rec record.Record // reused: its strings are shared
	var newest uint64     // the highest place so far
	var tip, at uint64    // line numbers: of the newest record, and of the current line
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
		case id != e.id: // its seq is no place in this journal
			e.damaged(&errs.Error{Kind: journal.ErrForeign, Path: e.path, Seq: due, Next: nextExport,
				Detail: fmt.Sprintf("read an export: line %d is a record of another journal", at+1)})
		case seq < newest && !e.covered(seq):
			e.damaged(e.corrupt(seq, "line %d is record %d, out of order: it follows a newer record", at+1, seq))
		}
		if seq == 0 || id != e.id {
			seq, isRecord = due, false
		}
		if e.first == 0 { // no record yet
			at++
			continue
		}
		switch n := len(e.segments); {
		case n > 0 && seq == due:
			e.segments[n-1].last = seq
		case n == maxSegments:
			e.damaged(e.corrupt(seq, "its lines are out of order from line %d on", at+1))
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
			Detail: "read an export: it ends within a record; that record and any later ones are missing"}
	}
	if len(e.segments) > 1 {
		e.complete()
		if err := e.compareRepeated(); err != nil {
			return err
		}
	}
	return e.setHash(tip)
}

// begin sets id and first from the first record, in line at. The lines before it
// have the places before it, down to place 1.
func (e *export) begin(id string, seq, at uint64) {
	before := min(at, seq-1)
	e.id, e.first = id, seq-before
	if before > 0 {
		e.segments = append(e.segments, segment{e.first, seq - 1, at - before})
	}
}

// due returns the place after that of the previous line.
func (e *export) due() uint64 {
	if n := len(e.segments); n > 0 {
		return e.segments[n-1].last + 1
	}
	return max(e.first, 1)
}

// setHash sets the hash of the tip, which is in line at.
func (e *export) setHash(at uint64) error {
	for line, err := range e.lines(at) {
		e.tip.Hash = record.HashOf(line)
		return err
	}
	return nil
}

// noRecord returns the damage of a line that is not a record.
func (e *export) noRecord(err error, seq, at uint64) error {
	var cause *errs.Error
	if !errors.As(err, &cause) {
		return e.corrupt(seq, "line %d is a record without a seq", at+1) // of a newer version
	}
	if cause.Path != "" {
		return err // the line is longer than any record
	}
	return &errs.Error{Kind: cause.Kind, Path: e.path, Seq: seq, Err: cmp.Or(cause.Err, errors.New(cause.Detail)), Next: nextExport,
		Detail: fmt.Sprintf("read an export: line %d is not a record", at+1)}
}

// damaged keeps the first damage.
func (e *export) damaged(err error) { e.damage = cmp.Or(e.damage, err) }

// covered reports whether a segment holds the record.
func (e *export) covered(seq uint64) bool {
	return slices.ContainsFunc(e.segments, func(s segment) bool { return s.first <= seq && seq <= s.last })
}

// complete sets first to the lowest of all segments, and reports a gap.
func (e *export) complete() {
	sorted := slices.SortedFunc(slices.Values(e.segments), func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	e.first = sorted[0].first
	last := sorted[0].last
	for _, s := range sorted[1:] {
		if s.first > last+1 {
			e.damaged(e.corrupt(last+1, "records %d to %d are missing", last+1, s.first-1))
		}
		last = max(last, s.last)
	}
}

// compareRepeated compares the lines of each record that more than one segment
// holds.
func (e *export) compareRepeated() error {
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

// same compares the lines of two segments for the records in [from, to].
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
			e.damaged(e.corrupt(seq, "record %d occurs twice, with different bytes", seq))
		}
		if seq++; seq > to {
			break
		}
	}
	return nil
}

// inPlace streams the lines of the records in [from, to] in the order of their
// places.
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
