package journal

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// withSettled replaces the settled records of Pebble, as somebody could who can
// write the partition: the header's base is the last of them, and listing and
// checksums match.
func withSettled(t testing.TB, m *memfs.FS, raws [][]byte) {
	t.Helper()
	v := must[*View](t)(OpenView(m, small))
	h, slot := v.tail.header, v.tail.slot
	noErr(t, v.Close())
	for _, n := range names(t, m) {
		if n != TailName {
			noErr(t, m.Remove("journal/"+n))
		}
	}
	noErr(t, store.Create(m, "journal"))
	noErr(t, store.Settle(m, "journal", record.Tip{}, raws, nil))
	h.base = record.Tip{Seq: uint64(len(raws)), Hash: record.HashOf(raws[len(raws)-1])}
	h.files = must[[]store.File](t)(store.List(m, "journal"))
	b := read(t, m, tailFile)
	copy(b[slot*blockSize:], h.encode(slot))
	overwrite(t, m, tailFile, b)
}

// TestVerifyView: faults of settled records and of the head file.
func TestVerifyView(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1, 1, 1)
	settled(t, m, 1)
	recs := history(t, m) // five settled, one in the tail
	id := recs[0].Journal
	encode := func(journal string, seq uint64, prev record.Hash) []byte {
		e := entryOf("b", "Another", 1)
		e.Time = recs[seq-1].Time
		return must[[]byte](t)(record.Encode(journal, seq, prev, e))
	}
	with := func(seq int, raw []byte) func(d *memfs.FS) {
		return func(d *memfs.FS) {
			var raws [][]byte
			for _, r := range recs[:5] {
				raws = append(raws, r.Raw)
			}
			raws[seq-1] = raw
			withSettled(t, d, raws)
		}
	}
	head := func(j string, seq int, h record.Hash) func(d *memfs.FS) {
		return func(d *memfs.FS) { noErr(t, ResetHead(d, small, j, record.Tip{Seq: uint64(seq), Hash: h})) }
	}
	tests := map[string]struct {
		change func(d *memfs.FS)
		want   string
		first  uint64 // the record at which a reader stops; 0 if none
	}{
		"good":         {func(*memfs.FS) {}, "", 0},
		"put together": {with(3, recs[2].Raw), "", 0},
		"rewritten":    {with(3, encode(id, 3, recs[1].Hash)), "error broken_link", 4},
		"misplaced":    {with(3, recs[3].Raw), "error broken_link, error gap, error broken_link", 3},
		"misplaced 2":  {with(3, recs[1].Raw), "error broken_link, error duplicate, error broken_link", 3},
		"foreign":      {with(3, encode(testJournal, 3, recs[1].Hash)), "error wrong_journal, error broken_link, error wrong_journal", 3},
		"first broken": {with(1, []byte("{}")), "error not_canonical, error broken_link", 1},
		"oversized":    {with(2, make([]byte, record.MaxLen+1)), "error oversized, error broken_link", 2},
		"head absent":  {func(d *memfs.FS) { noErr(t, d.Remove(headFile)) }, "error head_mismatch", 0},
		"head behind":  {head(id, 5, recs[4].Hash), "warning head_behind", 0},
		"head ahead":   {head(id, 9, recs[3].Hash), "error head_mismatch, error head_mismatch", 0},
		"head of another": {head(testJournal, 6, recs[5].Hash),
			"error head_mismatch, error head_mismatch", 0},
		"head newer": {func(d *memfs.FS) { editBlock(t, d, headFile, 0, func(b []byte) { b[11] = 9 }) }, "error newer_version", 0},
		"one slot":   {func(d *memfs.FS) { damageSlot(t, d, 1-newestSlot(t, d)) }, "warning head_slot_bad", 0},
		"newest slot": {func(d *memfs.FS) { damageSlot(t, d, newestSlot(t, d)) },
			"warning head_slot_bad, warning head_behind", 0},
		"two slots": {func(d *memfs.FS) { damageSlot(t, d, 0); damageSlot(t, d, 1) }, "error head_mismatch", 0},
		"tables gone": {func(d *memfs.FS) {
			for _, n := range names(t, d) {
				if strings.HasSuffix(n, ".sst") {
					noErr(t, d.Remove("journal/"+n))
				}
			}
		}, "error storage_corrupt", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := m.Clone()
			tt.change(d)
			v, err := OpenView(d, small)
			if err != nil {
				rep := Report{}
				rep.add(FindingOf(err))
				if codes(rep) != tt.want {
					t.Fatalf("opened: %v", err)
				}
				return
			}
			defer v.Close()
			rep := must[Report](t)(Verify(context.Background(), v.Source(), VerifyOptions{}))
			if codes(rep) != tt.want || rep.OK == strings.Contains(tt.want, "error") {
				t.Fatalf("found %s: %+v", codes(rep), rep.Findings)
			}
			err = v.verifyFrom(1)
			var typed *errs.Error
			switch {
			case (err != nil) != (tt.first > 0):
				t.Errorf("a reader gets %v", err)
			case err != nil && (!errors.As(err, &typed) || typed.Seq != tt.first || typed.Path != "journal"):
				t.Errorf("a reader gets %#v, want record %d", err, tt.first)
			}
			if _, err := v.Record(tt.first); tt.first > 0 && err != nil && !isDamage(err) && !errors.Is(err, errs.ErrTooLarge) {
				t.Errorf("record %d: %v", tt.first, err)
			}
		})
	}
}

func newestSlot(t testing.TB, m *memfs.FS) int {
	t.Helper()
	return must[HeadReport](t)(ReadHead(m, small)).newest()
}

// TestWithoutHeadAllIsVerified: without a head file, a record that was rewritten long
// ago is refused; with one, an ordinary boot does not read it.
func TestWithoutHeadAllIsVerified(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1, 1, 1)
	settled(t, m, 1)
	recs := history(t, m)
	raws := [][]byte{recs[0].Raw, nil, recs[2].Raw, recs[3].Raw, recs[4].Raw}
	raws[1] = must[[]byte](t)(record.Encode(recs[0].Journal, 2, recs[0].Hash, entryOf("b", "Forged", 1)))
	withSettled(t, m, raws)
	boot(t, m.Clone(), 1)
	for _, lose := range []func(){
		func() { damageSlot(t, m, 0); damageSlot(t, m, 1) },
		func() { noErr(t, m.Remove(headFile)); m.SyncAll() },
	} {
		lose()
		refused(t, m, nil, errs.ErrCorrupt)
	}
}

// TestVerifyTables: a flipped bit is found wherever it is in a table. Damage in a
// table that nothing refers to is a warning.
func TestVerifyTables(t *testing.T) {
	s := newSpecimen(t)
	deep := func(d *memfs.FS) Report {
		v, err := OpenView(d, small)
		if err != nil {
			return Report{Findings: []Finding{FindingOf(err)}}
		}
		defer v.Close()
		return must[Report](t)(deeply(v))
	}
	if rep := deep(s.disk); !rep.OK || len(rep.Findings) > 0 {
		t.Fatalf("intact: %+v", rep.Findings)
	}
	table := s.pebble[0]
	good := read(t, s.disk, table)
	for i := 0; i < len(good); i += 1 + len(good)/61 {
		bad := slices.Clone(good)
		bad[i] ^= 4
		d := s.disk.Clone()
		overwrite(t, d, table, bad)
		rep := deep(d)
		if rep.OK || len(rep.Findings) == 0 {
			t.Errorf("the flipped byte %d of %d is not found", i, len(good))
		}
		for _, f := range rep.Findings {
			if f.Code != CodeStorage || strings.ContainsAny(f.Detail, "\n\t") || strings.Contains(f.Detail, "carrier") {
				t.Errorf("byte %d: %+v", i, f)
			}
		}
	}
	for what, content := range map[string][]byte{"warning storage_corrupt": []byte("no table"), "": good} {
		d := s.disk.Clone()
		noErr(t, durable.WriteFile(d, "journal/000001.sst", content, fileMode))
		if rep := deep(d); !rep.OK || codes(rep) != what {
			t.Errorf("a table that nothing refers to: %+v, want %s", rep.Findings, what)
		}
	}
	v := must[*View](t)(OpenView(s.disk, small))
	defer v.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := (&viewSource{v: v}).verifyTables(ctx, &Report{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// Nothing has settled, and no table can be opened: that too is a finding.
	m := newRoot(t)
	boot(t, m)
	v2 := must[*View](t)(OpenView(m, small))
	defer v2.Close()
	for _, n := range names(t, m) {
		if strings.HasPrefix(n, "MANIFEST") {
			overwrite(t, m, "journal/"+n, []byte("no manifest"))
		}
	}
	if rep := must[Report](t)(deeply(v2)); codes(rep) != "error storage_corrupt" {
		t.Errorf("no table can be opened: %+v", rep)
	}
}

// TestRawRecords: a stream stops when its reader does, at a gap, and at the tip.
func TestRawRecords(t *testing.T) {
	s := newSpecimen(t)
	v := must[*View](t)(OpenView(s.disk, small))
	defer v.Close()
	for _, stop := range []int{1, 9, 12, len(s.recs)} { // before, in and after the settled records
		n := 0
		for r, err := range v.RawRecords(0, 1<<60) {
			noErr(t, err)
			if r.Seq != uint64(n+1) || record.HashOf(r.Raw) != s.recs[n].Hash {
				t.Fatalf("record %d differs", r.Seq)
			}
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("%d records, want %d", n, stop)
		}
	}
	n := 0
	for range v.Records(3, 5) {
		n++
	}
	for range v.Records(uint64(len(s.recs)), 1<<60) {
		n++
	}
	for range v.Records(uint64(len(s.recs)+1), 1<<60) {
		n += 100
	}
	if n != 4 {
		t.Errorf("%d records", n)
	}
	v.cut.Seq = 3 // a gap after the settled records
	v.frames = v.frames[:0]
	var last error
	for _, last = range v.RawRecords(1, 1<<60) {
	}
	if !errors.Is(last, errs.ErrCorrupt) {
		t.Errorf("a gap: %v", last)
	}
}
