package replay_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

func open(t testing.TB, h *historytest.History) *history.Source {
	t.Helper()
	h.Close()
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	t.Cleanup(func() { _ = src.Close() })
	return src
}

func TestFind(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.Append(machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate", Reason: "expired"}) // 1
	h.NextBoot()
	h.First()                                         // 2
	h.Match()                                         // 3
	h.Reconstruct(historytest.NewOS, 1)               // 4 to 8, epoch 1
	h.Reconstruct(historytest.OldOS, 2)               // 9 to 13, epoch 2
	h.At(time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)) // the clock went back
	h.Match()                                         // 14, at 01:00:01
	src := open(t, h)
	at := func(s string) replay.Point {
		when, err := time.Parse(time.RFC3339, s)
		historytest.Check(t, err)
		return replay.AtTime(when)
	}
	for _, tt := range []struct {
		p    replay.Point
		want uint64 // 0: not in this history
		says string
	}{
		{replay.AtSeq(1), 1, ""},
		{replay.AtSeq(14), 14, ""},
		{replay.AtSeq(0), 0, "seq:0 is not in this history: there are records 1 to 14"},
		{replay.AtSeq(15), 0, "there are records 1 to 14"},
		{replay.AtEpoch(0), 2, ""}, // not with the boot that had failed before
		{replay.AtEpoch(1), 8, ""},
		{replay.AtEpoch(2), 13, ""},
		{replay.AtEpoch(3), 0, "there are epochs 0 to 2"},
		{at("2026-03-04T11:00:01Z"), 14, ""}, // the last in sequence, whatever came between
		{at("2099-01-01T00:00:00Z"), 14, ""},
		{at("2026-03-04T01:00:01Z"), 14, ""},
		{at("2026-03-04T01:00:00Z"), 0, "record 1, the first, is of 2026-03-04T11:00:01Z"},
		{replay.Point{}, 0, "it names nothing"},
	} {
		rec, err := tt.p.Find(src)
		switch {
		case tt.want == 0 && (!errors.Is(err, replay.ErrNoPoint) || !strings.Contains(err.Error(), tt.says)):
			t.Errorf("%s: %v", tt.p, err)
		case tt.want != 0 && (err != nil || rec.Seq != tt.want):
			t.Errorf("%s is record %d, %v, want %d", tt.p, rec.Seq, err, tt.want)
		}
	}
	if from, to, err := replay.Epochs(src, 1); from != 8 || to != 12 || err != nil {
		t.Errorf("epoch 1 is records %d to %d, %v", from, to, err)
	}
	if from, to, err := replay.Epochs(src, 7); from <= to || err != nil {
		t.Errorf("epoch 7 is records %d to %d, %v", from, to, err)
	}
	if s := at("2026-03-04T01:00:00Z").String(); s != "time:2026-03-04T01:00:00.0Z" {
		t.Error(s)
	}
}

// A first run over an unreadable file never has a baseline in epoch 0.
func TestFindEpochWithoutBaseline(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.Append(machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate", Reason: "expired"})
	h.NextBoot()
	h.Append(h.Capture(machine.RoleDiffers, historytest.OldOS))
	h.Append(machine.UpdateDetected{V: 1, Cause: machine.CauseTampered, Causes: []machine.Cause{machine.CauseTampered},
		CurrentHash: historytest.OldOS, Changed: []string{}, Attempt: 1})
	h.Append(h.Manifest(1))
	h.Append(historytest.Applied())
	h.Append(h.Rotated())
	src := open(t, h)
	for epoch, want := range map[uint64]uint64{0: 1, 1: 6} {
		if rec, err := replay.AtEpoch(epoch).Find(src); err != nil || rec.Seq != want {
			t.Errorf("epoch %d began with record %d, %v", epoch, rec.Seq, err)
		}
	}
}

// Times are searched for among very many records, on several cores.
func TestFindTimeFarBack(t *testing.T) {
	const n = 100_000
	src := lined{n: n}
	if rec, err := replay.AtTime(lineTime(1)).Find(src); err != nil || rec.Seq != 1 {
		t.Errorf("record %d, %v", rec.Seq, err)
	}
	src.odd = 41_234
	for want, when := range map[uint64]time.Time{
		77_777: lineTime(77_777).Add(time.Millisecond),
		n:      lineTime(n),
		41_234: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), // a clock that was behind for a moment
	} {
		if rec, err := replay.AtTime(when).Find(src); err != nil || rec.Seq != want {
			t.Errorf("%s: record %d, %v, want %d", when, rec.Seq, err, want)
		}
	}
	src.odd = 0
	if _, err := replay.AtTime(lineTime(0)).Find(src); !errors.Is(err, replay.ErrNoPoint) {
		t.Error(err)
	}
	src.bad = 50_000
	if _, err := replay.AtTime(lineTime(49_000)).Find(src); !errors.Is(err, errs.ErrCorrupt) {
		t.Error(err)
	}
	if rec, err := replay.AtTime(lineTime(70_000)).Find(src); err != nil || rec.Seq != 70_000 {
		t.Errorf("record %d, %v: no record that far back is needed", rec.Seq, err)
	}
}

func lineTime(seq uint64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seq) * time.Second)
}

// lined is a history whose records have only a time.
type lined struct {
	replay.History
	n, odd, bad uint64
}

func (l lined) First() uint64   { return 1 }
func (l lined) Tip() record.Tip { return record.Tip{Seq: l.n} }

func (l lined) at(seq uint64) time.Time {
	if seq == l.odd {
		return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return lineTime(seq)
}

func (l lined) Record(seq uint64) (record.Record, error) {
	if seq == l.bad {
		return record.Record{}, &errs.Error{Kind: errs.ErrCorrupt, Seq: seq}
	}
	return record.Record{Seq: seq, Time: l.at(seq)}, nil
}

func (l lined) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for seq := from; seq <= to; seq++ {
			raw := fmt.Appendf(nil, `{"data":{"a":1,"time":"2000-01-01T00:00:00.000000000Z"},"time":"%s","type":"x"}`, l.at(seq).Format("2006-01-02T15:04:05.000000000Z"))
			if seq == l.bad {
				raw = []byte("rubbish")
			}
			if !yield(journal.RawRecord{Seq: seq, Raw: raw}, nil) {
				return
			}
		}
	}
}
