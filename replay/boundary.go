package replay

import (
	"errors"

	"github.com/autonomyops/edged/journal/record"
)

// ErrEpochOrder: the records around a boundary of an epoch contradict the binary
// search that found it. Only reading all records finds the epoch.
var ErrEpochOrder = errors.New("epochs are out of order")

// Epochs returns the range of records with epoch n in force; from > to if the search
// finds none. The error is of a record that could not be read, or ErrEpochOrder.
//
// A binary search trusts every record that it reads. A record with a false epoch
// leads it to a place beside that record. So the links around both boundaries are
// checked.
func Epochs(src History, n uint64) (from, to uint64, err error) {
	end := src.Tip().Seq + 1
	if from, err = epochFrom(src, n, src.First(), end); err != nil {
		return 0, 0, err
	}
	if to, err = epochFrom(src, n+1, from, end); err != nil {
		return 0, 0, err
	}
	for _, seq := range []uint64{from, to} {
		steps, linked, err := boundary(src, seq)
		switch {
		case err != nil:
			return 0, 0, err
		case !linked || !steps:
			return 0, 0, ErrEpochOrder
		}
	}
	return from, to - 1, nil
}

// boundary reads the records around seq, with which an epoch seems to begin. steps
// reports whether its epoch is one more than that of the record before; linked
// reports whether the records link to each other. At the first record and after the
// newest there is nothing to check.
func boundary(src History, seq uint64) (steps, linked bool, err error) {
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

// searchEpoch reads all records for the first one with epoch n; the zero record if
// there is none.
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
