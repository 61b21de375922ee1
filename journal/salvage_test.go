package journal

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// salvage counts the records of the prefix and checks that each is the one that was
// written.
func salvage(t *testing.T, fsys durable.FS, recs []record.Record) (Prefix, int) {
	t.Helper()
	n := 0
	p, err := Salvage(fsys, small, func(r record.Record) error {
		if n >= len(recs) || r.Hash != recs[n].Hash {
			t.Errorf("record %d differs", r.Seq)
		}
		n++
		return nil
	})
	noErr(t, err)
	if int(p.Tip.Seq) != n {
		t.Errorf("%d records, tip %d", n, p.Tip.Seq)
	}
	return p, n
}

// TestSalvage: whatever is damaged, a salvage keeps everything before the first
// record that only the damaged part held, and changes nothing.
func TestSalvage(t *testing.T) {
	s := newSpecimen(t)
	all := len(s.recs)
	base := int(s.frames[0].rec.Seq) - 1
	remove := func(names ...string) func(d *memfs.FS) {
		return func(d *memfs.FS) {
			for _, n := range names {
				noErr(t, durable.RemoveAll(d, n))
			}
			d.SyncAll()
		}
	}
	find := func(part string) (found []string) {
		for _, n := range s.pebble {
			if strings.Contains(n, part) {
				found = append(found, n)
			}
		}
		return found
	}
	with := func(name string, change func(b []byte) []byte) func(d *memfs.FS) {
		return func(d *memfs.FS) { overwrite(t, d, name, change(read(t, d, name))) }
	}
	tests := map[string]struct {
		damage func(d *memfs.FS)
		least  int // records that are kept
		whole  bool
	}{
		"nothing":                 {func(*memfs.FS) {}, all, true},
		"head absent":             {remove(headFile), all, true},
		"marker removed":          {remove(find("marker.manifest")...), all, false},
		"markers removed":         {remove(find("marker.")...), all, false},
		"manifests":               {remove(find("MANIFEST-")...), all, false},
		"all of Pebble's":         {remove(s.pebble...), 0, false},
		"a newer marker":          {func(d *memfs.FS) { plant(t, d, "journal/marker.manifest.000099.MANIFEST-000099") }, all, false},
		"tail":                    {remove(tailFile), base, false},
		"a directory":             {func(d *memfs.FS) { remove(tailFile)(d); noErr(t, d.Mkdir(tailFile, 0o750)) }, base, false},
		"tail cut":                {with(tailFile, func(b []byte) []byte { return b[:s.frames[2].block*blockSize+50] }), all - 1, false},
		"tail empty":              {with(tailFile, func(b []byte) []byte { return nil }), base, false},
		"headers":                 {with(tailFile, func(b []byte) []byte { clear(b[:2*blockSize]); return b }), all, true},
		"headers and first frame": {with(tailFile, func(b []byte) []byte { clear(b[:2*blockSize]); clear(b[firstFrame*blockSize:][:blockSize]); return b }), base, false},
		"first frame":             {with(tailFile, func(b []byte) []byte { b[firstFrame*blockSize+99] ^= 1; return b }), base, false},
		"last frame":              {with(tailFile, func(b []byte) []byte { b[s.frames[2].block*blockSize+99] ^= 1; return b }), all - 1, false},
		"manifest flipped":        {with(find("MANIFEST-")[1], func(b []byte) []byte { b[20] ^= 1; return b }), all, false},
		"table flipped":           {with(find(".sst")[0], func(b []byte) []byte { b[300] ^= 1; return b }), 0, false},
		"table empty":             {with(find(".sst")[1], func(b []byte) []byte { return nil }), 3, false},
		"table of zeros":          {with(find(".sst")[1], func(b []byte) []byte { return make([]byte, len(b)) }), 3, false},
		"table of another file":   {with(find(".sst")[1], func(b []byte) []byte { return read(t, s.disk, headFile) }), 3, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := s.disk.Clone()
			tt.damage(d)
			before := d.Dump()
			p, n := salvage(t, d, s.recs)
			if n < tt.least || (p.Broken == nil) != (n == all && tt.whole) {
				t.Errorf("%d records kept, want %d or more; %v", n, tt.least, p.Broken)
			}
			for name, was := range before {
				if d.Dump()[name] != was {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
	if _, err := Salvage(s.disk, small, func(record.Record) error { return os.ErrClosed }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the caller's error: %v", err)
	}
	if err := ResetHead(s.disk, small, "x", record.Tip{}); !errors.Is(err, errs.ErrInvalid) {
		t.Errorf("reset to no journal: %v", err)
	}
	d := s.disk.Clone()
	noErr(t, durable.RemoveAll(d, "journal"))
	if p, n := salvage(t, d, nil); n != 0 || !errors.Is(p.Broken, ErrMissing) || p.Journal != "" {
		t.Errorf("no journal: %+v", p)
	}
}

// TestSalvageOlderFrames: a record that a table lost is found in a frame of an older
// generation that is still there.
func TestSalvageOlderFrames(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1, 1, 1)
	settled(t, m, 1)
	recs := history(t, m) // frames of records 2 to 5 follow the sixth
	damaged := slices.Clone(recs[3].Raw)
	damaged[10] ^= 1
	raws := [][]byte{recs[0].Raw, recs[1].Raw, recs[2].Raw, damaged, recs[4].Raw}
	withSettled(t, m, raws)
	if p, n := salvage(t, m, recs); n != len(recs) || p.Broken == nil {
		t.Errorf("%d records, %v", n, p.Broken)
	}
	// Record 1 was overwritten by the new generation's first frame.
	raws[0], raws[3] = damaged, recs[3].Raw
	withSettled(t, m, raws)
	if p, n := salvage(t, m, recs); n != 0 || p.Broken == nil {
		t.Errorf("%d records, %v", n, p.Broken)
	}
}

// TestSalvageForeign: a table of another journal is not read as the beginning of
// this one, and the head file of another does not hide this one.
func TestSalvageForeign(t *testing.T) {
	s, other := newSpecimen(t), newSpecimen(t)
	table := s.pebble[0]
	d := s.disk.Clone()
	put(t, d, other.disk, table)
	if p, n := salvage(t, d, s.recs); n != 0 || p.Broken == nil {
		t.Errorf("the first table exchanged: %d records, %+v", n, p)
	}
	d = s.disk.Clone()
	put(t, d, other.disk, headFile)
	if p, n := salvage(t, d, s.recs); n != len(s.recs) || p.Journal != s.recs[0].Journal || !errors.Is(p.Broken, ErrForeign) {
		t.Errorf("the head file exchanged: %d records, %+v", n, p)
	}
	// Only the records say which journal it is.
	d = s.disk.Clone()
	put(t, d, other.disk, table)
	overwrite(t, d, headFile, nil)
	overwrite(t, d, tailFile, nil)
	n := 0
	p, err := Salvage(d, small, func(record.Record) error { n++; return nil })
	if noErr(t, err); n == 0 || p.Journal != other.recs[0].Journal {
		t.Errorf("only the records say which journal it is: %d records, %+v", n, p)
	}
}

// plant makes an empty file, durably.
func plant(t testing.TB, m *memfs.FS, name string) {
	t.Helper()
	noErr(t, durable.WriteFile(m, name, nil, fileMode))
	m.SyncAll()
}
