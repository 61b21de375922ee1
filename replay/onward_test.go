package replay_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/replay"
)

// pitted is a history of numbers, some of which cannot be read.
type pitted struct {
	replay.History
	tip   uint64
	bad   func(uint64) bool
	reads *int
}

func (p pitted) First() uint64   { return 1 }
func (p pitted) Tip() record.Tip { return record.Tip{Seq: p.tip} }

func (p pitted) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		*p.reads++
		for seq := from; seq <= min(to, p.tip); seq++ {
			if p.bad(seq) {
				yield(journal.RawRecord{}, fmt.Errorf("%d", seq))
				return
			}
			if !yield(journal.RawRecord{Seq: seq}, nil) {
				return
			}
		}
	}
}

// holes reads a history and returns its holes and the number of its readable records.
func holes(t *testing.T, src replay.History, to uint64) (got string, records uint64) {
	t.Helper()
	var all []string
	for p, err := range replay.Onward(t.Context(), src, 1, to) {
		switch {
		case err != nil:
			t.Fatal(err)
		case p.Err == nil:
			records++
		default:
			all = append(all, fmt.Sprintf("%d-%d:%v:%t", p.Seq, p.Last, p.Err, p.Final))
		}
	}
	return strings.Join(all, " "), records
}

// Holes of any size are one piece each, and the records after them are yielded.
func TestOnward(t *testing.T) {
	within := func(from, to uint64) func(uint64) bool {
		return func(seq uint64) bool { return seq >= from && seq <= to }
	}
	never := func(uint64) bool { return false }
	for _, tt := range []struct {
		name    string
		tip, to uint64
		bad     func(uint64) bool
		want    string
		records uint64
		reads   int
	}{
		{"whole", 1000, 1000, never, "", 1000, 1},
		{"a part", 1000, 500, never, "", 500, 1},
		{"one", 1000, 1000, within(7, 7), "7-7:7:false", 999, 3},
		{"a block", 60000, 60000, within(301, 865), "301-865:301:false", 59435, 30},
		{"a block at a time", 1000, 1000, func(seq uint64) bool { return seq/100 == 3 || seq/100 == 5 }, "300-399:300:false 500-599:500:false", 800, 40},
		{"the first", 1000, 1000, within(1, 10), "1-10:1:false", 990, 10},
		{"the end", 1000, 1000, within(901, 1000), "901-1000:901:true", 900, 20},
		{"but for the newest", 100000, 100000, within(2, 99999), "2-99999:2:false", 2, 2000},
		{"all", 100, 100, within(1, 100), "1-100:1:true", 0, 20},
		{"the newest number is a lie", math.MaxUint64 - 9, math.MaxUint64 - 9, within(5, math.MaxUint64-9),
			fmt.Sprintf("5-%d:5:true", uint64(math.MaxUint64-9)), 4, 50000},
	} {
		reads := 0
		got, records := holes(t, pitted{tip: tt.tip, bad: tt.bad, reads: &reads}, tt.to)
		if got != tt.want || records != tt.records || reads > tt.reads {
			t.Errorf("%s: %s, %d records, %d reads", tt.name, got, records, reads)
		}
	}
}

// A history full of holes costs a bounded number of reads.
func TestOnwardPitted(t *testing.T) {
	reads := 0
	got, _ := holes(t, pitted{tip: 100000, bad: func(seq uint64) bool { return seq%2 == 0 }, reads: &reads}, 100000)
	if n := strings.Count(got, ":false"); n != 4095 || !strings.HasSuffix(got, "8192-100000:8192:true") || reads > 5*4096 {
		t.Errorf("%d holes, %d reads", n, reads)
	}
}

func TestOnwardInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for p, err := range replay.Onward(ctx, pitted{tip: 5000, bad: func(uint64) bool { return false }, reads: new(int)}, 1, 5000) {
		if n++; p.Seq == 1500 {
			cancel()
		}
		if err != nil && (!errors.Is(err, context.Canceled) || n != 2048) {
			t.Errorf("%v after %d records", err, n)
		}
	}
	if n != 2048 {
		t.Errorf("%d pieces", n)
	}
}

func TestOrder(t *testing.T) {
	for numbers, want := range map[string]string{
		"1 2 3 4":       "",
		"1 2 2 2 3 4":   "2 2",
		"1 3 4":         "3",
		"1 2 4 3 5":     "4 3",
		"1 2 3 1 2 3 4": "1",
		"1 2 90 4 5 6":  "90 4",
	} {
		var strays []string
		o := replay.NewOrder(1)
		for f := range strings.FieldsSeq(numbers) {
			var seq uint64
			_, _ = fmt.Sscan(f, &seq)
			if !o.Take(seq) {
				strays = append(strays, f)
			}
		}
		if got := strings.Join(strays, " "); got != want {
			t.Errorf("%s: out of place: %s, want %s", numbers, got, want)
		}
	}
	o := replay.NewOrder(5)
	if o.Skip(9); o.Due() != 10 || !o.Take(10) {
		t.Error("after a skip")
	}
}
