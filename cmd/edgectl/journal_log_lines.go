package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/replay"
)

// logged is one reading of a history for journal log: the lines that pass, and
// what has to be said about those that cannot be shown.
type logged struct {
	src   *history.Source
	want  filter
	json  bool
	out   *bufio.Writer
	keep  *lastLines
	lines display.Lines

	order  *replay.Order
	passed uint64

	strays, stray, due  uint64 // records out of their place, and the first one
	unread, firstUnread uint64 // under a filter: what is no record may have passed
	holes               uint64
	hole                error // the first one
}

// take takes the next piece of the history. The error is that of the output.
func (l *logged) take(p replay.Piece) error {
	if p.Err != nil {
		l.missing(p.Err)
		l.order.Skip(l.order.Due() + (p.Last - p.Seq))
		return nil
	}
	due := l.order.Due()
	if !l.want.maybe(p.Raw) {
		if seq, ok := record.EnvelopeNumber(p.Raw, "seq"); ok {
			l.place(due, seq)
		} else {
			l.order.Skip(due)
		}
		return nil
	}
	rec, err := record.Decode(p.Raw)
	if err != nil {
		l.order.Skip(due)
		return l.unreadable(due, p.Raw, err)
	}
	l.place(due, rec.Seq)
	switch {
	case !l.want.match(rec):
		return nil
	case l.json:
		return l.show(string(p.Raw))
	}
	return l.show(l.lines.Record(rec))
}

// place checks whether a record is in its place. One before its place was
// there already, or comes late; one after it leaves a hole.
func (l *logged) place(due, seq uint64) {
	switch {
	case l.order.Take(seq):
	case seq > due:
		l.missing(&errs.Error{Kind: errs.ErrCorrupt, Path: l.src.Path(), Seq: due,
			Detail: fmt.Sprintf("read records: record %d is in this place", seq),
			Next:   "look with edgectl journal verify for what else is wrong, and for the record in another copy"})
	default:
		if l.strays++; l.strays == 1 {
			l.stray, l.due = seq, due
		}
	}
}

func (l *logged) missing(err error) {
	l.holes++
	l.hole = cmp.Or(l.hole, err)
}

// unreadable shows bytes that are no record. Whether they would have passed a
// filter is unknown, so they are counted.
func (l *logged) unreadable(seq uint64, raw []byte, err error) error {
	switch {
	case !l.want.all():
		if l.unread++; l.unread == 1 {
			l.firstUnread = seq
		}
		return nil
	case l.json:
		return l.show(string(raw))
	}
	return l.show(l.lines.Unreadable(seq, err))
}

func (l *logged) show(line string) error {
	l.passed++
	if l.keep.add(line) {
		return nil
	}
	return writeLine(l.out, line)
}

// flush writes what was kept.
func (l *logged) flush() error {
	for line := range l.keep.all() {
		if err := writeLine(l.out, line); err != nil {
			return err
		}
	}
	return l.out.Flush()
}

// remark says what the lines do not, and returns the error of what is missing.
func (l *logged) remark(w io.Writer) error {
	if l.strays > 0 {
		fmt.Fprintf(w, "edgectl: record %d is in the place of record %d (such places: %d); verify the history before you rely on its order\n",
			l.stray, l.due, l.strays)
	}
	if l.unread > 0 {
		fmt.Fprintf(w, "edgectl: %s could not be read and may have passed the filter (first: %d)\n", records(l.unread), l.firstUnread)
	}
	if l.holes > 1 {
		return fmt.Errorf("%w (holes like this one: %d)", l.hole, l.holes)
	}
	return l.hole
}

func records(n uint64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}
