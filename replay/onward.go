package replay

import (
	"context"
	"iter"
	"math"

	"github.com/autonomyops/edged/journal"
)

// Piece is a part of a history as Onward gives it: the bytes of one record, or
// a hole.
type Piece struct {
	// RawRecord is the bytes and their place; of a hole, the place alone.
	journal.RawRecord
	// Err says why a hole cannot be read; nil where there are bytes.
	Err error
	// Last is the place where a hole ends.
	Last uint64
	// Rest: nothing behind the hole can be read, or was looked for.
	Rest bool
}

const (
	// maxPieceHoles bounds the work that a history of nothing but holes makes.
	maxPieceHoles = 4096
	// nearStep is the widest step of the search for the end of a hole. What is
	// readable and shorter than it may be taken for a part of the hole; a block
	// of a table that was spared holds more.
	nearStep = 64
	// farSteps is how many steps a hole is worth before they grow with it: the
	// number of a newest record may be a lie of nineteen digits.
	farSteps = 1024
)

// Onward streams what can be read of the records from to to, and goes on
// behind what cannot: each hole is one piece, however many records it has
// swallowed. From the newest record on it gives everything that is stored, so
// that an export with more lines than its numbers say is read to its end.
//
// Nothing is checked: bytes may be no record, and a record in an export may
// stand in another's place. The bytes are valid until the next step. The only
// error is that of ctx, and it is the last.
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
			hole := Piece{RawRecord: journal.RawRecord{Seq: next}, Err: broken, Last: max(next, to), Rest: true}
			if behind, ok := behindHole(ctx, src, next, to); ok && holes < maxPieceHoles {
				hole.Last, hole.Rest = behind-1, false
			}
			if !yield(hole, nil) || hole.Rest {
				return
			}
			next = hole.Last + 1
		}
	}
}

// behindHole finds the first record that can be read behind the one at hole,
// which cannot: steps that double find one that can, and halving the last step
// finds where that begins. A missing or damaged table may have swallowed
// millions, so they are not tried one by one.
func behindHole(ctx context.Context, src History, hole, to uint64) (seq uint64, ok bool) {
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

// firstStored halves between a record that cannot be read and one that can.
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

// stored reports whether a record's bytes can be read, whatever they are.
func stored(src History, seq uint64) bool {
	for _, err := range src.RawRecords(seq, seq) {
		return err == nil
	}
	return false
}
