package replay

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// scribbling is a history that overwrites a record's bytes at the next step.
type scribbling struct {
	ends    uint64 // its last record
	breaks  uint64 // the record that cannot be read, 0 for none
	strange uint64 // the record that this binary does not understand
	after   uint64 // the record after which it fails
	pad     int    // additional bytes of each payload
	alive   atomic.Int32
	read    atomic.Int64 // the number of records yielded
}

var errBroken = errors.New("broken")

func (s *scribbling) Snapshots(uint64) iter.Seq2[journal.Snapshot, error] {
	return func(func(journal.Snapshot, error) bool) {}
}

func (s *scribbling) Records(from, to uint64) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		s.alive.Add(1)
		defer s.alive.Add(-1)
		data, pad := make([]byte, 0, 64+s.pad), strings.Repeat("x", s.pad)
		for seq := from; seq <= min(to, s.ends); seq++ {
			if seq == s.breaks {
				yield(record.Record{}, errBroken)
				return
			}
			s.read.Add(1)
			r := record.Record{Seq: seq, Type: "ProjectionRepaired", Hash: record.Hash{byte(seq)}, Prev: record.Hash{byte(seq - 1)}}
			if seq == s.strange {
				r.Type, r.Crit = "CoffeeBrewed", true
			}
			data = fmt.Appendf(data[:0], `{"path":"record %d","reason":"%s","v":1}`, seq, pad)
			r.Data, r.Raw = data, data
			if !yield(r, nil) {
				return
			}
			copy(data, "scribbled over and over again")
		}
		if s.after > 0 && to == s.after {
			yield(record.Record{}, errBroken)
		}
	}
}

// outcome is the result of events: how many, and how they ended.
type outcome struct {
	n   uint64
	err string
}

// drain iterates over events until it has seen leave of them.
func drain(t *testing.T, all iter.Seq2[machine.Event, error], leave uint64) (got outcome) {
	t.Helper()
	for e, err := range all {
		if got.err != "" {
			t.Fatalf("it continues after %s", got.err)
		}
		if err != nil {
			got.err = err.Error()
			continue
		}
		got.n++
		want := fmt.Sprintf("record %d", got.n)
		if p, ok := e.Payload.(machine.ProjectionRepaired); !ok || p.Path != want || e.Seq != got.n ||
			e.Hash != (record.Hash{byte(got.n)}).String() || e.Prev != (record.Hash{byte(got.n - 1)}).String() {
			t.Fatalf("%s is %+v", want, e)
		}
		if got.n == leave {
			break
		}
	}
	return got
}

// TestAhead: on any number of goroutines the events are those of one goroutine, up to
// the same error, and no goroutine outlives the loop.
func TestAhead(t *testing.T) {
	for _, n := range []uint64{0, 1, segmentLen - 1, segmentLen, segmentLen + 1, 3*segmentLen + 7, 6 * segmentLen} {
		for _, lanes := range []int{1, 2, maxLanes} {
			half := n/2 + 1
			for name, c := range map[string]struct{ ends, breaks, strange, after, leave uint64 }{
				"whole":              {ends: n},
				"no first":           {ends: n, breaks: 1},
				"broken":             {ends: n, breaks: half},
				"no last":            {ends: n, breaks: n},
				"strange":            {ends: n, strange: half},
				"strange, broken":    {ends: n, strange: half, breaks: half + segmentLen},
				"broken, strange":    {ends: n, strange: half + 1, breaks: half},
				"no end":             {ends: n, after: n},
				"ends early":         {ends: n / 2},
				"is not there":       {ends: 0},
				"left at once":       {ends: n, leave: 1},
				"left":               {ends: n, leave: half},
				"left at a boundary": {ends: n, leave: segmentLen},
				"left at the end":    {ends: n, leave: n},
			} {
				one := &scribbling{ends: c.ends, breaks: c.breaks, strange: c.strange, after: c.after}
				many := &scribbling{ends: c.ends, breaks: c.breaks, strange: c.strange, after: c.after}
				want := drain(t, inOrder(one, 1, n), c.leave)
				got := drain(t, ahead(many, 1, n, lanes), c.leave)
				if got != want {
					t.Errorf("%d records, %d lanes, %s: %+v, want %+v", n, lanes, name, got, want)
				}
				if alive := many.alive.Load(); alive != 0 {
					t.Errorf("%d records, %d lanes, %s: %d readers are still there", n, lanes, name, alive)
				}
				if most := int64(2 * lanes * segmentLen); c.leave == 1 && many.read.Load() > most {
					t.Errorf("%d records, %d lanes: %d were read for one", n, lanes, many.read.Load())
				}
			}
		}
	}
}

// Large records are passed on before many of them are in memory.
func TestAheadOfLargeRecords(t *testing.T) {
	const n, pad, lanes = 2*segmentLen + 5, 32 << 10, 2
	for _, c := range []struct{ breaks, leave uint64 }{{0, 0}, {n / 3, 0}, {0, 1}, {0, n / 3}} {
		one, many := &scribbling{ends: n, pad: pad, breaks: c.breaks}, &scribbling{ends: n, pad: pad, breaks: c.breaks}
		want := drain(t, inOrder(one, 1, n), c.leave)
		if got := drain(t, ahead(many, 1, n, lanes), c.leave); got != want || many.alive.Load() != 0 {
			t.Errorf("%+v: %+v, want %+v; %d readers are still there", c, got, want, many.alive.Load())
		}
		if c.leave == 1 && many.read.Load() > lanes*(batchBytes/pad+1) {
			t.Errorf("%d large records were read for one", many.read.Load())
		}
	}
}

// A boot folds few records, without another goroutine.
func TestEventsOfShortRanges(t *testing.T) {
	for from, to := range map[uint64]uint64{1: 0, 2: 2, 1 << 60: 1<<60 + 1} {
		s := &scribbling{ends: 5}
		for range events(s, from, to) {
			if s.alive.Load() != 1 {
				t.Errorf("records %d to %d: %d readers", from, to, s.alive.Load())
			}
		}
	}
	s := &scribbling{ends: 5 * segmentLen}
	if got := drain(t, events(s, 1, 5*segmentLen), 0); got != (outcome{n: 5 * segmentLen}) {
		t.Errorf("%+v", got)
	}
	// A range beyond every history ends where the history does.
	if got := drain(t, events(s, 1, 1<<60), 0); got != (outcome{n: 5 * segmentLen}) {
		t.Errorf("%+v", got)
	}
}
