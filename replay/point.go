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

// History is a Source with known first and last records, which can be read one by one.
type History interface {
	Source
	// ID returns the journal's id.
	ID() string
	// First returns the seq of the first record: 1, or more in an export that
	// begins later.
	First() uint64
	Tip() record.Tip
	// Record reads one record: canonical, of this journal, in its place.
	Record(seq uint64) (record.Record, error)
	// RawRecords streams the stored bytes. A to beyond the tip means the tip;
	// math.MaxUint64 means everything that is stored, whatever its numbers.
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
}

// ErrNoPoint: the history does not reach the point.
var ErrNoPoint = errors.New("not in this history")

// Point is a place in a history: a record, an epoch or a time. The zero Point is none.
type Point struct {
	kind string
	n    uint64
	t    time.Time
}

// AtSeq returns the point just after record seq.
func AtSeq(seq uint64) Point { return Point{kind: "seq", n: seq} }

// AtEpoch returns the point just after the event that began epoch n.
func AtEpoch(n uint64) Point { return Point{kind: "epoch", n: n} }

// AtTime returns the point just after the last record in sequence whose wall-clock
// time is not after t. Clocks may go back, so records before it may be later than t.
func AtTime(t time.Time) Point { return Point{kind: "time", t: t.UTC()} }

// String returns the point as an operator types it: seq:N, epoch:N or time:T.
func (p Point) String() string {
	if p.kind == "time" {
		// A time without a fraction means the whole second.
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

// Find returns the record that the point is just after. The error is ErrNoPoint, with
// the extent of the history, if the history does not reach the point; otherwise it is
// that of the record.
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
		// An edited number may have misled the search: an epoch is reported
		// absent only if no record has it.
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

// beginning returns the record that began the epoch whose first record is rec. That is
// rec itself, except if a first run failed before it had a baseline: then the epoch
// began with the baseline, if there ever was one.
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

// Unreached is the ErrNoPoint of an epoch, with the epochs that exist.
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

// epochFrom returns the first seq in [lo, hi) whose record has an epoch of n or more,
// hi if there is none. Epochs never go back, so a binary search is enough.
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
