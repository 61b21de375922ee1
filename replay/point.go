package replay

import (
	"errors"
	"fmt"
	"iter"
	"sort"
	"time"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// History is a Source whose extent is known and whose records can be looked up.
type History interface {
	Source
	// ID is the journal's id.
	ID() string
	// First is the seq of the first record there is: 1, but for an export that
	// begins later.
	First() uint64
	Tip() record.Tip
	// Record reads one record: canonical, of this journal, in its place.
	Record(seq uint64) (record.Record, error)
	// RawRecords streams the stored bytes. to beyond the tip means the tip, and
	// math.MaxUint64 all that is stored, whatever its numbers.
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
}

// ErrNoPoint: the history does not reach the point that was asked for.
var ErrNoPoint = errors.New("not in this history")

// Point names a place in a history, in words that outlive its records' numbers.
// The zero Point is none.
type Point struct {
	kind string
	n    uint64
	t    time.Time
}

// AtSeq is the point just after record seq.
func AtSeq(seq uint64) Point { return Point{kind: "seq", n: seq} }

// AtEpoch is the point just after the event that began epoch n.
func AtEpoch(n uint64) Point { return Point{kind: "epoch", n: n} }

// AtTime is the point just after the last record in sequence whose wall-clock
// time is not after t. Clocks go back: records before it may be later than t.
func AtTime(t time.Time) Point { return Point{kind: "time", t: t.UTC()} }

// String is the point as it is written: seq:N, epoch:N or time:T.
func (p Point) String() string {
	if p.kind == "time" {
		// Typed back without a fraction it means all of that second.
		form := time.RFC3339Nano
		switch p.t.Nanosecond() {
		case 0:
			form = "2006-01-02T15:04:05.0Z07:00"
		case 999_999_999:
			form = time.RFC3339
		}
		return "time:" + p.t.Format(form)
	}
	return fmt.Sprintf("%s:%d", p.kind, p.n)
}

// Find gives the record that the point is just after. The error is ErrNoPoint,
// with the extent that there is, where the history does not reach it, and that
// of the record otherwise.
func (p Point) Find(src History) (record.Record, error) {
	switch p.kind {
	case "seq":
		if p.n < src.First() || p.n > src.Tip().Seq {
			return record.Record{}, p.missing("there are records %d to %d", src.First(), src.Tip().Seq)
		}
		return src.Record(p.n)
	case "epoch":
		return p.findEpoch(src)
	case "time":
		return p.findTime(src)
	}
	return record.Record{}, p.missing("it names nothing")
}

func (p Point) missing(format string, args ...any) error {
	return fmt.Errorf("%s is %w: %s", p, ErrNoPoint, fmt.Sprintf(format, args...))
}

func (p Point) findEpoch(src History) (record.Record, error) {
	seq, err := epochFrom(src, p.n, src.First(), src.Tip().Seq+1)
	if err != nil {
		return record.Record{}, err
	}
	rec, err := record.Record{}, error(nil)
	if seq <= src.Tip().Seq {
		rec, err = src.Record(seq)
	}
	if err == nil && (rec.Seq == 0 || rec.Epoch != p.n) {
		// An edited number may have led astray: an epoch is said to be absent
		// only when no record has it.
		if rec, err = searchEpoch(src, p.n); err == nil && rec.Seq == 0 {
			return rec, p.Unreached(src)
		}
	}
	switch {
	case err != nil:
		return rec, err
	case rec.Seq > 1 && rec.Seq == src.First():
		return rec, p.missing("the records begin with number %d, in the middle of that epoch", rec.Seq)
	}
	return beginning(src, rec)
}

// beginning gives the record that began the epoch whose first record is rec.
// That is rec itself, but where a first run failed before it had a baseline:
// its epoch began with the baseline, if it ever had one.
func beginning(src History, rec record.Record) (record.Record, error) {
	for r, err := range src.Records(rec.Seq, src.Tip().Seq) {
		if err != nil {
			return rec, err
		}
		switch machine.Kind(r.Type) {
		case machine.KindEpochRotated, machine.KindLegacyStateAdopted, machine.KindJournalSalvaged, machine.KindUpdateDetected:
			if r.Seq != rec.Seq && (r.Epoch != rec.Epoch || r.Type == string(machine.KindUpdateDetected)) {
				return rec, nil
			}
			return src.Record(r.Seq)
		case machine.KindFingerprintCaptured:
			e, err := Event(r)
			if err != nil {
				return rec, err
			}
			if p, ok := e.Payload.(machine.FingerprintCaptured); ok && p.Role == machine.RoleInitial {
				return src.Record(r.Seq)
			}
		}
	}
	return rec, nil
}

// Unreached is the ErrNoPoint of an epoch, with the epochs that there are.
func (p Point) Unreached(src History) error {
	first, err := src.Record(src.First())
	if err != nil {
		return err
	}
	last, err := src.Record(src.Tip().Seq)
	if err != nil {
		return err
	}
	return p.missing("there are epochs %d to %d", first.Epoch, last.Epoch)
}

// epochFrom gives the first seq in [lo, hi) whose record has an epoch of n or
// more, hi where none has. Epochs never go back, so it need not read them all.
func epochFrom(src History, n, lo, hi uint64) (uint64, error) {
	var failed error
	i := sort.Search(int(hi-lo), func(i int) bool {
		if failed != nil {
			return true
		}
		rec, err := src.Record(lo + uint64(i))
		failed = err
		return rec.Epoch >= n
	})
	return lo + uint64(i), failed
}
