package replay

import (
	"context"
	"iter"
	"math"

	"github.com/autonomyops/edged/journal"
)

// Piece is the bytes of one record, or a hole: a run of records that cannot be read.
type Piece struct {
	// RawRecord is the record; of a hole only Seq, its first record, is set.
	journal.RawRecord
	// Err is why the hole cannot be read; nil for a record.
	Err error
	// Last is the last record of a hole.
	Last uint64
	// Final reports that no record after the hole can be read, or that none was
	// looked for.
	Final bool
}

const (
	// maxPieceHoles is the largest number of holes, so that a history full of them costs bounded work.
	maxPieceHoles = 4096
	// nearStep is the widest step of the search for the end of a hole. A shorter
	// run of readable records may be counted as part of the hole; an undamaged
	// block of a table holds more records.
	nearStep = 64
	// farSteps is the number of steps after which they grow with the hole: a
	// forged number of the newest record may have nineteen digits.
	farSteps = 1024
)

// Onward streams the records from to to that can be read, and continues after a hole:
// each hole is one piece, however many records it covers. From the newest record on it
// yields everything that is stored, so that an export with more lines than its numbers
// say is read to its end.
//
// Nothing is checked: the bytes may be no record, and a record in an export may be in
// another's place. The bytes are valid until the next step. The only error is that of
// ctx, and it is the last piece.
func Onward(ctx context.Context, src History, from, to uint64) iter.Seq2[Piece, error] {
	return func(yield func(Piece, error) bool) {
		end := to
		if to >= src.Tip().Seq {
			end = math.MaxUint64
		}
		next := from
		for holes := 1; ; holes++ {
			var broken error
			for raw, err := range src.RawRecords(next, end) {
				if raw.Seq%1024 == 0 && ctx.Err() != nil {
					yield(Piece{}, ctx.Err())
					return
				}
				if broken = err; err != nil {
					break
				}
				if !yield(Piece{RawRecord: raw}, nil) {
					return
				}
				next = raw.Seq + 1
			}
			if broken == nil {
				return
			}
			hole := Piece{RawRecord: journal.RawRecord{Seq: next}, Err: broken, Last: max(next, to), Final: true}
			if after, ok := afterHole(ctx, src, next, to); ok && holes < maxPieceHoles {
				hole.Last, hole.Final = after-1, false
			}
			if !yield(hole, nil) || hole.Final {
				return
			}
			next = hole.Last + 1
		}
	}
}

// afterHole returns the first record after the one at hole that can be read. Steps
// that double find a readable record, and halving the last step finds the first one. A
// missing or damaged table may hold millions of records, so they are not tried one by
// one.
func afterHole(ctx context.Context, src History, hole, to uint64) (seq uint64, ok bool) {
	bad, step := hole, uint64(1)
	for {
		if bad >= to || ctx.Err() != nil {
			return 0, false
		}
		at := to
		if to-bad > step {
			at = bad + step
		}
		if stored(src, at) {
			return firstStored(src, bad, at), true
		}
		bad = at
		if step < nearStep {
			step *= 2
		}
		step = max(step, (bad-hole)/farSteps)
	}
}

// firstStored returns the first readable record between an unreadable and a readable one, by halving.
func firstStored(src History, bad, good uint64) uint64 {
	for good-bad > 1 {
		if mid := bad + (good-bad)/2; stored(src, mid) {
			good = mid
		} else {
			bad = mid
		}
	}
	return good
}

// stored reports whether a record's bytes can be read, without checking them.
func stored(src History, seq uint64) bool {
	for _, err := range src.RawRecords(seq, seq) {
		return err == nil
	}
	return false
}
