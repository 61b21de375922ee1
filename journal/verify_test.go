package journal

import (
	"bufio"
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

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/durable"
)

// chain makes n records that follow each other.
func chain(t testing.TB, n int) [][]byte {
	t.Helper()
	var out [][]byte
	var prev Hash
	for i := 1; i <= n; i++ {
		raw, err := Encode(testJournal, uint64(i), prev, entry(i))
		noErr(t, err)
		out, prev = append(out, raw), HashOf(raw)
	}
	return out
}

func lines(recs [][]byte) []byte {
	return append(bytes.Join(recs, []byte("\n")), '\n')
}

func codes(r Report) string {
	var s []string
	for _, f := range r.Findings {
		s = append(s, string(f.Severity)+" "+f.Code)
	}
	return strings.Join(s, ", ")
}

func TestVerifyStream(t *testing.T) {
	const n = 2*partRecords + 100
	good := chain(t, n)
	encode := func(journal string, seq uint64, prev Hash, e Entry) []byte {
		return must[[]byte](t)(Encode(journal, seq, prev, e))
	}
	late := entry(5)
	late.Time = late.Time.Add(-time.Hour)
	tests := map[string]struct {
		change func(r [][]byte) [][]byte
		want   string
		seq    uint64
	}{
		"good": {func(r [][]byte) [][]byte { return r }, "", 0},
		"changed": {func(r [][]byte) [][]byte {
			r[41] = bytes.Replace(r[41], []byte(`"role":"match"`), []byte(`"role":"march"`), 1)
			return r
		}, "error broken_link", 43},
		"changed at the end of a part": {func(r [][]byte) [][]byte {
			r[partRecords-1] = bytes.Replace(r[partRecords-1], []byte("match"), []byte("march"), 1)
			return r
		}, "error broken_link", partRecords + 1},
		"missing":                  {func(r [][]byte) [][]byte { return slices.Delete(r, 9, 10) }, "error gap", 10},
		"missing first":            {func(r [][]byte) [][]byte { return r[1:] }, "error gap", 1},
		"missing at end of a part": {func(r [][]byte) [][]byte { return slices.Delete(r, partRecords, partRecords+3) }, "error gap", partRecords + 1},
		"twice":                    {func(r [][]byte) [][]byte { return slices.Insert(r, 9, r[8]) }, "error duplicate", 9},
		"not canonical":            {func(r [][]byte) [][]byte { r[9] = append([]byte(" "), r[9]...); return r }, "error not_canonical, error broken_link", 10},
		"not a record":             {func(r [][]byte) [][]byte { r[9] = nil; return r }, "error not_canonical, error broken_link", 10},
		"oversized":                {func(r [][]byte) [][]byte { r[9] = bytes.Repeat([]byte("x"), 200000); return r }, "error oversized, error broken_link", 10},
		"newer":                    {func(r [][]byte) [][]byte { r[9] = []byte(`{"v":9}`); return r }, "error newer_version, error broken_link", 10},
		"cut short":                {func(r [][]byte) [][]byte { return append(r, []byte(`{"boot_id"`)) }, "error not_canonical", n + 1},
		"another journal": {func(r [][]byte) [][]byte {
			var prev Hash
			if r[n-2] != nil {
				prev = HashOf(r[n-2])
			}
			r[n-1] = encode("00000000-0000-4000-8000-000000000000", n, prev, entry(n))
			return r
		}, "error wrong_journal", n},
		"time": {func(r [][]byte) [][]byte {
			r[4] = encode(testJournal, 5, HashOf(r[3]), late)
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
			if tt.want == "" && (rep.Events != n || rep.Head != (Tip{n, HashOf(good[n-1])}) || rep.Journal != testJournal) {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

func TestVerifyStreamEnds(t *testing.T) {
	good := chain(t, 3)
	whole := bytes.TrimSuffix(lines(good), []byte("\n"))
	ctx := context.Background()
	rep := must[Report](t)(Verify(ctx, NewStream(bytes.NewReader(whole)), VerifyOptions{}))
	if !rep.OK || rep.Events != 3 {
		t.Errorf("without a last newline: %+v", rep)
	}
	rep = must[Report](t)(Verify(ctx, NewStream(bytes.NewReader(whole[:len(whole)-9])), VerifyOptions{}))
	if codes(rep) != "error torn_tail" || rep.Findings[0].Seq != 3 {
		t.Errorf("cut short: %+v", rep)
	}
	rep = must[Report](t)(Verify(ctx, NewStream(strings.NewReader("")), VerifyOptions{}))
	if !rep.OK || rep.Events != 0 {
		t.Errorf("nothing: %+v", rep)
	}
	rep = must[Report](t)(Verify(ctx, NewStream(io.MultiReader(bytes.NewReader(lines(good)), iotest.ErrReader(os.ErrPermission))), VerifyOptions{}))
	if codes(rep) != "error io_error" {
		t.Errorf("unreadable: %+v", rep)
	}
	rep = must[Report](t)(Verify(ctx, NewStream(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("x"), 100000)))), VerifyOptions{}))
	if rep.OK {
		t.Errorf("one long line: %+v", rep)
	}
	gone, cancel := context.WithCancel(ctx)
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

// tamper writes into the journal behind its back.
func tamper(t *testing.T, fsys durable.FS, change func(b *pebble.Batch)) {
	t.Helper()
	r := reader{l: DefaultLayout(), s: newStore(fsys, false)}
	noErr(t, r.open())
	b := r.db.NewBatch()
	change(b)
	noErr(t, b.Commit(pebble.Sync))
	r.s.seal()
	noErr(t, r.db.Flush())
	noErr(t, r.closeDB())
}

func TestVerifyView(t *testing.T) {
	m := newRoot(t)
	recs := grown(t, m, 6)
	id := recs[0].Journal
	e := entry(3)
	e.Node = "another"
	other := must[[]byte](t)(Encode(id, 3, recs[1].Hash, e))
	foreign := must[[]byte](t)(Encode(testJournal, 3, recs[1].Hash, entry(3)))
	tests := map[string]struct {
		change func(b *pebble.Batch)
		head   func(t *testing.T, fsys durable.FS)
		want   string
	}{
		"good":         {},
		"rewritten":    {change: func(b *pebble.Batch) { noErr(t, b.Set(recordKey(3), other, nil)) }, want: "error broken_link"},
		"misplaced":    {change: func(b *pebble.Batch) { noErr(t, b.Set(recordKey(3), recs[3].Raw, nil)) }, want: "error broken_link, error gap, error broken_link"},
		"misplaced 2":  {change: func(b *pebble.Batch) { noErr(t, b.Set(recordKey(3), recs[1].Raw, nil)) }, want: "error broken_link, error duplicate, error broken_link"},
		"removed":      {change: func(b *pebble.Batch) { noErr(t, b.Delete(recordKey(3), nil)) }, want: "error gap"},
		"foreign":      {change: func(b *pebble.Batch) { noErr(t, b.Set(recordKey(3), foreign, nil)) }, want: "error wrong_journal, error broken_link, error wrong_journal"},
		"first broken": {change: func(b *pebble.Batch) { noErr(t, b.Set(recordKey(1), []byte("{}"), nil)) }, want: "error not_canonical, error broken_link"},
		"head absent": {head: func(t *testing.T, fsys durable.FS) { noErr(t, fsys.Remove("bootstrap/journal_head")) },
			want: "error head_mismatch"},
		"head behind": {head: func(t *testing.T, fsys durable.FS) {
			noErr(t, ResetHead(fsys, DefaultLayout(), id, Tip{4, recs[3].Hash}))
		}, want: "warning head_behind"},
		"head ahead": {head: func(t *testing.T, fsys durable.FS) {
			noErr(t, ResetHead(fsys, DefaultLayout(), id, Tip{9, recs[3].Hash}))
		}, want: "error head_mismatch, error head_mismatch"},
		"head of another": {head: func(t *testing.T, fsys durable.FS) {
			noErr(t, ResetHead(fsys, DefaultLayout(), testJournal, Tip{6, recs[5].Hash}))
		}, want: "error head_mismatch, error head_mismatch"},
		"one slot": {head: func(t *testing.T, fsys durable.FS) { damageSlot(t, fsys, 0) }, want: "warning head_slot_bad"},
		"two slots": {head: func(t *testing.T, fsys durable.FS) { damageSlot(t, fsys, 0); damageSlot(t, fsys, 1) },
			want: "error head_mismatch"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := m.Clone()
			if tt.change != nil {
				tamper(t, d, tt.change)
			}
			if tt.head != nil {
				tt.head(t, d)
			}
			v := must[*View](t)(OpenView(d, DefaultLayout()))
			defer v.Close()
			rep := must[Report](t)(Verify(context.Background(), v.Source(), VerifyOptions{}))
			want := tt.want
			if name == "one slot" && codes(rep) == "warning head_slot_bad, warning head_behind" {
				want = codes(rep) // the damaged one was the newest
			}
			if codes(rep) != want {
				t.Fatalf("found %s: %+v", codes(rep), rep.Findings)
			}
			if tt.change != nil {
				if err := v.VerifyTail(100); err == nil {
					t.Error("the newest records verify all the same")
				}
			}
		})
	}
}

func damageSlot(t testing.TB, fsys durable.FS, i int) {
	t.Helper()
	b := read(t, fsys, "bootstrap/journal_head")
	b[i*slotStride+50] ^= 4
	overwrite(t, fsys, "bootstrap/journal_head", b)
}

func TestSalvage(t *testing.T) {
	m := newRoot(t)
	recs := grown(t, m, 6)
	count := func(fsys durable.FS) (Prefix, int) {
		n := 0
		p, err := Salvage(fsys, DefaultLayout(), func(r Record) error {
			if r.Hash != recs[n].Hash {
				t.Errorf("record %d differs", r.Seq)
			}
			n++
			return nil
		})
		noErr(t, err)
		return p, n
	}
	if p, n := count(m); n != 6 || p.Broken != nil || p.Tip != (Tip{6, recs[5].Hash}) || p.Journal != recs[0].Journal {
		t.Errorf("intact: %d, %+v", n, p)
	}
	d := m.Clone()
	tamper(t, d, func(b *pebble.Batch) { noErr(t, b.Set(recordKey(4), []byte("{}"), nil)) })
	// The table of its own boot still has what was written.
	if p, n := count(d); n != 6 || p.Broken == nil || p.Tip.Seq != 6 {
		t.Errorf("record 4 damaged: %d, %+v", n, p)
	}
	compactAll(t, d)
	if p, n := count(d); n != 3 || p.Broken == nil || p.Tip.Seq != 3 {
		t.Errorf("record 4 lost: %d, %+v", n, p)
	}
	d = m.Clone()
	tamper(t, d, func(b *pebble.Batch) { noErr(t, b.Delete([]byte(headKey), nil)) })
	if _, err := OpenView(d, DefaultLayout()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("without a head: %v", err)
	}
	if p, n := count(d); n != 6 || p.Broken == nil {
		t.Errorf("head removed: %d, %+v", n, p)
	}
	d = m.Clone()
	noErr(t, d.Remove(theFile(t, d, prefix("marker.manifest."))))
	noErr(t, d.Remove(theFile(t, d, prefix("marker.format-version."))))
	if p, n := count(d); n != 6 || p.Broken == nil {
		t.Errorf("markers removed: %d, %+v", n, p)
	}
	d = m.Clone()
	tamper(t, d, func(b *pebble.Batch) { noErr(t, b.Set(recordKey(1), []byte("{}"), nil)) })
	compactAll(t, d)
	if p, n := count(d); n != 0 || p.Broken == nil {
		t.Errorf("record 1 damaged: %d, %+v", n, p)
	}
	d = m.Clone()
	noErr(t, d.Remove(theFile(t, d, prefix("MANIFEST-"))))
	if p, n := count(d); n != 6 || p.Broken == nil {
		t.Errorf("manifest removed: %d, %+v", n, p)
	}
	if _, err := Salvage(m, DefaultLayout(), func(Record) error { return os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the caller's error: %v", err)
	}
	if err := ResetHead(m, DefaultLayout(), "x", Tip{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("reset to no journal: %v", err)
	}
}

// TestVerifyTailFindsAnyRecord: wherever one of the newest records is changed,
// in whatever goroutine's share, the first bad place is named.
func TestVerifyTailFindsAnyRecord(t *testing.T) {
	m := newRoot(t)
	w, _, err := Create(m, DefaultLayout(), entry(1), CreateOptions{})
	noErr(t, err)
	var es []Entry
	for i := 2; i <= 600; i++ {
		es = append(es, entry(i))
	}
	_, err = w.AppendBatch(es)
	noErr(t, err)
	noErr(t, w.Close())
	for _, seq := range []uint64{1, 2, 299, 300, 301, 302, 598} {
		d := m.Clone()
		v := must[*View](t)(OpenView(d, DefaultLayout()))
		rec := must[Record](t)(v.Record(seq))
		noErr(t, v.VerifyTail(600))
		noErr(t, v.Close())
		e := entry(int(seq))
		e.Node = "another"
		raw := must[[]byte](t)(Encode(rec.Journal, seq, rec.Prev, e))
		tamper(t, d, func(b *pebble.Batch) { noErr(t, b.Set(recordKey(seq), raw, nil)) })
		v = must[*View](t)(OpenView(d, DefaultLayout()))
		for _, n := range []uint64{600, 1 << 40} {
			err := v.VerifyTail(n)
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, ErrCorrupt) || e.Seq != seq+1 {
				t.Errorf("record %d changed: %v", seq, err)
			}
		}
		noErr(t, v.VerifyTail(1))
		noErr(t, v.VerifyTail(0))
		noErr(t, v.Close())
	}
}

// bulk makes a journal of n records on disk, quickly.
func bulk(b testing.TB, n int) *durable.Root {
	b.Helper()
	r := must[*durable.Root](b)(durable.OpenRoot(b.TempDir()))
	b.Cleanup(func() { noErr(b, r.Close()) })
	noErr(b, r.Mkdir("bootstrap", 0o750))
	w, _, err := Create(r, DefaultLayout(), entry(1), CreateOptions{})
	noErr(b, err)
	for i := 1; i < n; {
		var es []Entry
		for range min(1000, n-i) {
			es = append(es, entry(i+1))
			i++
		}
		_, err := w.AppendBatch(es)
		noErr(b, err)
	}
	noErr(b, w.Close())
	return r
}

func BenchmarkVerify(b *testing.B) {
	const n = 300_000
	r := bulk(b, n)
	v := must[*View](b)(OpenView(r, DefaultLayout()))
	defer v.Close()
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			rep := must[Report](b)(Verify(context.Background(), v.Source(), VerifyOptions{}))
			if !rep.OK || rep.Events != n {
				b.Fatal(rep)
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("raw", func(b *testing.B) {
		for b.Loop() {
			w := bufio.NewWriter(io.Discard)
			for rec, err := range v.RawRecords(1, 1<<40) {
				noErr(b, err)
				_, _ = w.Write(rec.Raw)
				_ = w.WriteByte('\n')
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("records", func(b *testing.B) {
		for b.Loop() {
			noErr(b, v.VerifyTail(1<<40))
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("stream", func(b *testing.B) {
		var buf bytes.Buffer
		for rec, err := range v.RawRecords(1, 1<<40) {
			noErr(b, err)
			buf.Write(rec.Raw)
			buf.WriteByte('\n')
		}
		for b.Loop() {
			rep := must[Report](b)(Verify(context.Background(), NewStream(bytes.NewReader(buf.Bytes())), VerifyOptions{}))
			if !rep.OK || rep.Events != n {
				b.Fatal(rep)
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
}
