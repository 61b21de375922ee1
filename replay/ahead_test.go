package replay

import (
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/autonomyops/edged/journal"
)

// scribbling is a history whose bytes are gone with the next step.
type scribbling struct {
	breaks uint64 // the record that cannot be read, 0 for none
	alive  int    // readers that have not ended
	got    uint64 // the last record that a reader asked for
}

var errBroken = errors.New("broken")

func (s *scribbling) Snapshot(uint64) (uint64, []byte, bool, error) { return 0, nil, false, nil }

func (s *scribbling) Records(from, to uint64) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		s.alive++
		defer func() { s.alive-- }()
		data := make([]byte, 0, 32)
		for seq := from; seq <= to; seq++ {
			if s.got = seq; seq == s.breaks {
				yield(journal.Record{}, errBroken)
				return
			}
			data = fmt.Appendf(data[:0], "payload of %d", seq)
			if !yield(journal.Record{Seq: seq, Data: data, Raw: data}, nil) {
				return
			}
			copy(data, "scribbled over")
		}
	}
}

// TestAhead: the records come whole and in order, also where two goroutines
// pass them on, and no reader outlives the loop.
func TestAhead(t *testing.T) {
	for _, n := range []uint64{0, 1, batch, 2*batch - 1, 2 * batch, 2*batch + 1, 3 * batch, 10*batch + 7} {
		for _, tt := range []struct{ breaks, leave uint64 }{{0, 0}, {n/2 + 1, 0}, {n, 0}, {1, 0}, {0, 1}, {0, n / 2}, {0, batch}, {n, n - min(n, 1)}} {
			s, want := &scribbling{breaks: tt.breaks}, uint64(1)
			var broken error
			for r, err := range ahead(s, 1, n) {
				if err != nil {
					broken = err
					continue
				}
				if r.Seq != want || string(r.Data) != fmt.Sprintf("payload of %d", want) && n >= 2*batch {
					t.Fatalf("%d records, %+v: got %d %q, want %d", n, tt, r.Seq, r.Data, want)
				}
				if want++; tt.leave == r.Seq {
					break
				}
			}
			switch read := want - 1; {
			case tt.leave > 0 && tt.leave <= n:
				if read != tt.leave {
					t.Errorf("%d records, %+v: left after %d", n, tt, read)
				}
			case tt.breaks > 0 && tt.breaks <= n:
				if read != tt.breaks-1 || !errors.Is(broken, errBroken) {
					t.Errorf("%d records, %+v: %d read, then %v", n, tt, read, broken)
				}
			case read != n || broken != nil:
				t.Errorf("%d records, %+v: %d read, %v", n, tt, read, broken)
			}
			if s.alive != 0 {
				t.Errorf("%d records, %+v: a reader is still there", n, tt)
			}
			if tt.leave == 1 && s.got > (batches+1)*batch {
				t.Errorf("%d records: %d were read for one", n, s.got)
			}
		}
	}
}
