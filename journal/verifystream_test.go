package journal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/autonomyops/edged/journal/record"
)

// chain makes n records that follow each other.
func chain(t testing.TB, n int) [][]byte {
	t.Helper()
	var out [][]byte
	var prev record.Hash
	for i := 1; i <= n; i++ {
		raw, err := record.Encode(testJournal, uint64(i), prev, entryOf("boot", "Tested", 1))
		noErr(t, err)
		out, prev = append(out, raw), record.HashOf(raw)
	}
	return out
}

func lines(recs [][]byte) []byte {
	return append(bytes.Join(recs, []byte("\n")), '\n')
}

func TestVerifyStream(t *testing.T) {
	const n = 2*segmentRecords + 100
	good := chain(t, n)
	encode := func(journal string, seq uint64, prev record.Hash, e record.Entry) []byte {
		return must[[]byte](t)(record.Encode(journal, seq, prev, e))
	}
	late := entryOf("boot", "Tested", 1)
	late.Time = late.Time.Add(-time.Hour)
	march := func(r [][]byte, i int) [][]byte {
		r[i] = bytes.Replace(r[i], []byte(`"fill":""`), []byte(`"fill":"x"`), 1)
		return r
	}
	tests := map[string]struct {
		change func(r [][]byte) [][]byte
		want   string
		seq    uint64
	}{
		"good":                            {func(r [][]byte) [][]byte { return r }, "", 0},
		"changed":                         {func(r [][]byte) [][]byte { return march(r, 41) }, "error broken_link", 43},
		"changed at the end of a segment": {func(r [][]byte) [][]byte { return march(r, segmentRecords-1) }, "error broken_link", segmentRecords + 1},
		"missing":                         {func(r [][]byte) [][]byte { return slices.Delete(r, 9, 10) }, "error gap", 10},
		"missing first":                   {func(r [][]byte) [][]byte { return r[1:] }, "error gap", 1},
		"missing at end of a segment":     {func(r [][]byte) [][]byte { return slices.Delete(r, segmentRecords, segmentRecords+3) }, "error gap", segmentRecords + 1},
		"twice":                           {func(r [][]byte) [][]byte { return slices.Insert(r, 9, r[8]) }, "error duplicate", 9},
		"not canonical":                   {func(r [][]byte) [][]byte { r[9] = append([]byte(" "), r[9]...); return r }, "error not_canonical, error broken_link", 10},
		"not a record":                    {func(r [][]byte) [][]byte { r[9] = nil; return r }, "error not_canonical, error broken_link", 10},
		"oversized":                       {func(r [][]byte) [][]byte { r[9] = bytes.Repeat([]byte("x"), 200000); return r }, "error oversized, error broken_link", 10},
		"newer":                           {func(r [][]byte) [][]byte { r[9] = []byte(`{"v":9}`); return r }, "error newer_version, error broken_link", 10},
		"cut short":                       {func(r [][]byte) [][]byte { return append(r, []byte(`{"boot_id"`)) }, "error not_canonical", n + 1},
		"another journal": {func(r [][]byte) [][]byte {
			r[n-1] = encode("00000000-0000-4000-8000-000000000000", n, record.HashOf(r[n-2]), entryOf("boot", "Tested", 1))
			return r
		}, "error wrong_journal", n},
		"another journal, in the first record of a segment": {func(r [][]byte) [][]byte {
			r[segmentRecords] = encode("00000000-0000-4000-8000-000000000000", segmentRecords+1, record.HashOf(r[segmentRecords-1]), entryOf("boot", "Tested", 1))
			return r[:segmentRecords+1]
		}, "error wrong_journal", segmentRecords + 1},
		"time": {func(r [][]byte) [][]byte {
			r[4] = encode(testJournal, 5, record.HashOf(r[3]), late)
			return r[:5]
		}, "warning time_backwards", 5},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := tt.change(slices.Clone(good))
			rep := must[Report](t)(Verify(context.Background(), NewStream(bytes.NewReader(lines(in))), VerifyOptions{Workers: 3}))
			if codes(rep) != tt.want || rep.OK == strings.Contains(tt.want, "error") {
				t.Fatalf("ok %v, found %s: %+v", rep.OK, codes(rep), rep.Findings)
			}
			if len(rep.Findings) > 0 && rep.Findings[0].Seq != tt.seq {
				t.Errorf("at record %d, want %d", rep.Findings[0].Seq, tt.seq)
			}
			if tt.want == "" && (rep.Events != n || rep.Head != (record.Tip{Seq: n, Hash: record.HashOf(good[n-1])}) || rep.Journal != testJournal) {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

func TestVerifyStreamEnds(t *testing.T) {
	good := chain(t, 3)
	whole := bytes.TrimSuffix(lines(good), []byte("\n"))
	verify := func(r io.Reader) Report {
		return must[Report](t)(Verify(context.Background(), NewStream(r), VerifyOptions{}))
	}
	if rep := verify(bytes.NewReader(whole)); !rep.OK || rep.Events != 3 {
		t.Errorf("without a last newline: %+v", rep)
	}
	if rep := verify(bytes.NewReader(whole[:len(whole)-9])); codes(rep) != "error torn_tail" || rep.Findings[0].Seq != 3 {
		t.Errorf("cut short: %+v", rep)
	}
	if rep := verify(strings.NewReader("")); !rep.OK || rep.Events != 0 {
		t.Errorf("nothing: %+v", rep)
	}
	if rep := verify(io.MultiReader(bytes.NewReader(lines(good)), iotest.ErrReader(os.ErrPermission))); codes(rep) != "error io_error" {
		t.Errorf("unreadable: %+v", rep)
	}
	if rep := verify(bytes.NewReader(bytes.Repeat([]byte("x"), 100000))); codes(rep) != "error oversized" {
		t.Errorf("one long line: %+v", rep)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(gone, NewStream(bytes.NewReader(whole)), VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestVerifyOptions(t *testing.T) {
	good := chain(t, 50)
	for i := 10; i < 40; i++ {
		good[i] = []byte("x")
	}
	var done uint64
	rep := must[Report](t)(Verify(context.Background(), NewStream(bytes.NewReader(lines(good))), VerifyOptions{
		Known: func(k string) bool { return k != "Tested" }, Progress: func(n uint64) { done = n }, MaxFindings: 5}))
	if rep.OK || len(rep.Findings) != 6 || done != 50 {
		t.Errorf("%d findings, %d done, ok %v", len(rep.Findings), done, rep.OK)
	}
	rep = must[Report](t)(Verify(context.Background(), NewStream(bytes.NewReader(lines(chain(t, 2)))), VerifyOptions{
		Known: func(string) bool { return false }}))
	if !rep.OK || codes(rep) != "warning unknown_kind, warning unknown_kind" {
		t.Errorf("unknown kinds: %+v", rep)
	}
}
