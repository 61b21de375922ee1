package replay

import (
	"errors"

	"github.com/autonomyops/edged/journal/record"
)

// ErrEpochOrder: the records do not bear out where halving found an epoch to
// begin or to end. Only reading them all tells where it does.
var ErrEpochOrder = errors.New("epochs are out of order")

// Epochs gives the range of records with epoch n in force, from > to where
// halving finds none. The error is of a record that could not be read, or
// ErrEpochOrder.
//
// Halving believes every record it meets. One that lies about its epoch sends
// it astray, and where it ends, the liar is one of the two neighbours: so the
// links around both ends are looked at.
func Epochs(src History, n uint64) (from, to uint64, err error) {
	end := src.Tip().Seq + 1
	if from, err = epochFrom(src, n, src.First(), end); err != nil {
		return 0, 0, err
	}
	if to, err = epochFrom(src, n+1, from, end); err != nil {
		return 0, 0, err
	}
	for _, seq := range []uint64{from, to} {
		steps, linked, err := edge(src, seq)
		switch {
		case err != nil:
			return 0, 0, err
		case !linked || !steps:
			return 0, 0, ErrEpochOrder
		}
	}
	return from, to - 1, nil
}

// edge looks at the records around seq, with which an epoch seems to begin:
// whether it is one more than the epoch before, and whether each links to the
// one before it. Where the records begin, and behind the newest, nothing can be
// cut off.
func edge(src History, seq uint64) (steps, linked bool, err error) {
	if seq <= src.First() || seq > src.Tip().Seq {
		return true, true, nil
	}
	before, err := src.Record(seq - 1)
	if err != nil {
		return false, false, err
	}
	rec, err := src.Record(seq)
	if err != nil {
		return false, false, err
	}
	linked = rec.Prev == before.Hash
	if seq < src.Tip().Seq {
		after, err := src.Record(seq + 1)
		if err != nil {
			return false, false, err
		}
		linked = linked && after.Prev == rec.Hash
	}
	return rec.Epoch == before.Epoch+1, linked, nil
}

// searchEpoch looks through all records for the first one with epoch n; the
// zero record where none has it.
func searchEpoch(src History, n uint64) (record.Record, error) {
	for raw, err := range src.RawRecords(src.First(), src.Tip().Seq) {
		if err != nil {
			return record.Record{}, err
		}
		if epoch, ok := record.EnvelopeNumber(raw.Raw, "epoch"); ok && epoch != n {
			continue
		}
		if rec, err := src.Record(raw.Seq); err != nil || rec.Epoch == n {
			return rec, err
		}
	}
	return record.Record{}, nil
}
