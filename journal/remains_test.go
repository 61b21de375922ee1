package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// compactAll leaves of every key its newest value, and nothing older on disk.
func compactAll(t testing.TB, fsys durable.FS) {
	t.Helper()
	r := reader{l: DefaultLayout(), s: newStore(fsys, false)}
	noErr(t, r.open())
	r.s.seal()
	noErr(t, r.db.Compact(context.Background(), []byte{0}, []byte(endOfKeys), false))
	noErr(t, r.closeDB())
	for _, n := range must[[]string](t)(durable.Names(fsys, "journal")) {
		if isLog(n) {
			noErr(t, fsys.Remove("journal/"+n))
		}
	}
}

// tablesOf lists the tables in journal/, each with the records that it holds.
func tablesOf(t testing.TB, fsys durable.FS, records int) map[string][]uint64 {
	t.Helper()
	out := map[string][]uint64{}
	s := newStore(fsys, true)
	for _, n := range must[[]string](t)(durable.Names(fsys, "journal")) {
		if !strings.HasSuffix(n, ".sst") {
			continue
		}
		table := must[*table](t)(s.openTable("journal/" + n))
		for seq := range uint64(records + 1) {
			if table.record(seq) != nil {
				out["journal/"+n] = append(out["journal/"+n], seq)
			}
		}
		table.close()
	}
	return out
}

// without is the number of records before the first that no table but gone has.
func without(tables map[string][]uint64, gone string) (n int) {
	for seq := uint64(1); ; seq++ {
		held := false
		for name, has := range tables {
			held = held || name != gone && slices.Contains(has, seq)
		}
		if !held {
			return int(seq) - 1
		}
	}
}

// salvaged counts the records of the prefix, each of which must be the one
// that was written.
func salvaged(t *testing.T, fsys durable.FS, recs []Record) (Prefix, int) {
	t.Helper()
	n := 0
	p, err := Salvage(fsys, DefaultLayout(), func(r Record) error {
		if r.Hash != recs[n].Hash || r.Seq != recs[n].Seq {
			t.Errorf("record %d differs", r.Seq)
		}
		n++
		return nil
	})
	noErr(t, err)
	return p, n
}

// TestSalvageTables: whatever becomes of one table, what the others hold is
// kept up to the first record that only it had.
func TestSalvageTables(t *testing.T) {
	m := newRoot(t)
	recs := grown(t, m, 40)
	tables := tablesOf(t, m, len(recs))
	if len(tables) < 4 {
		t.Fatalf("%d tables", len(tables))
	}
	damages := map[string]func(d *memfs.FS, name string, good []byte){
		"missing": func(d *memfs.FS, name string, _ []byte) { noErr(t, d.Remove(name)) },
		"empty":   func(d *memfs.FS, name string, _ []byte) { overwrite(t, d, name, nil) },
		"half":    func(d *memfs.FS, name string, good []byte) { overwrite(t, d, name, good[:len(good)/2]) },
		"less":    func(d *memfs.FS, name string, good []byte) { overwrite(t, d, name, good[:len(good)-1]) },
		"zeros":   func(d *memfs.FS, name string, good []byte) { overwrite(t, d, name, make([]byte, len(good))) },
		"others": func(d *memfs.FS, name string, _ []byte) {
			overwrite(t, d, name, read(t, d, "bootstrap/journal_head"))
		},
	}
	for name := range tables {
		good := read(t, m, name)
		want := without(tables, name)
		for what, damage := range damages {
			d := m.Clone()
			damage(d, name, good)
			if p, n := salvaged(t, d, recs); n != want || p.Broken == nil || int(p.Tip.Seq) != n {
				t.Errorf("%s %s: %d records kept, want %d; %v", name, what, n, want, p.Broken)
			}
		}
		for i := 0; i < len(good); i += 1 + len(good)/23 {
			bad := slices.Clone(good)
			bad[i] ^= 0x20
			d := m.Clone()
			overwrite(t, d, name, bad)
			if _, n := salvaged(t, d, recs); n < want {
				t.Errorf("%s with byte %d flipped: %d records kept, want %d or more", name, i, n, want)
			}
		}
	}
}

// TestSalvageWithoutManifest: no table needs the manifest, and neither does a log.
func TestSalvageWithoutManifest(t *testing.T) {
	m, tip := logged(t, 20)
	var recs []Record
	v := must[*View](t)(OpenView(m, DefaultLayout()))
	for r, err := range v.Records(1, tip.Seq) {
		noErr(t, err)
		recs = append(recs, r)
	}
	noErr(t, v.Close())
	manifest := theFile(t, m, prefix("MANIFEST-"))
	good := read(t, m, manifest)
	for what, damage := range map[string]func(d *memfs.FS){
		"missing": func(d *memfs.FS) { noErr(t, d.Remove(manifest)) },
		"flipped": func(d *memfs.FS) {
			bad := slices.Clone(good)
			bad[20] ^= 1
			overwrite(t, d, manifest, bad)
		},
	} {
		d := m.Clone()
		damage(d)
		if p, n := salvaged(t, d, recs); n != len(recs) || p.Broken == nil || p.Tip != tip {
			t.Errorf("%s: %d records kept of %d: %v", what, n, len(recs), p.Broken)
		}
		log := theFile(t, d, suffix(".log"))
		whole := read(t, d, log)
		overwrite(t, d, log, whole[:len(whole)/2])
		if _, n := salvaged(t, d, recs); n <= 3 || n >= len(recs) {
			t.Errorf("%s, and half the log: %d records kept of %d", what, n, len(recs))
		}
	}
}

// TestErrorsAreOneLine: what Pebble attaches to its errors does not get into
// a line of a log.
func TestErrorsAreOneLine(t *testing.T) {
	m := newRoot(t)
	recs := grown(t, m, 3)
	for name := range tablesOf(t, m, len(recs)) {
		d := m.Clone()
		overwrite(t, d, name, make([]byte, len(read(t, m, name))))
		v, err := OpenView(d, DefaultLayout())
		if err == nil {
			err = errors.Join(v.VerifyTail(10), v.Close())
		}
		if err == nil || strings.ContainsAny(err.Error(), "\n\t") || strings.Contains(err.Error(), "carrier") {
			t.Errorf("%s: %q", name, err)
		}
	}
}

// FuzzLoggedRecords: a batch in a log is any bytes.
func FuzzLoggedRecords(f *testing.F) {
	f.Add(make([]byte, batchHeader))
	f.Add(append(make([]byte, batchHeader), "\x01\x08\x00\x00\x00\x00\x00\x00\x00\x07\x02{}\x01\x00\x00"...))
	f.Add(append(make([]byte, batchHeader), "\x01\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f{}"...))
	f.Fuzz(func(t *testing.T, batch []byte) {
		total := 0
		recordsOf(batch, func(_ uint64, raw []byte) { total += len(raw) + 8 })
		if total > len(batch) {
			t.Fatalf("%d bytes of %d", total, len(batch))
		}
	})
}

func TestRecordsOf(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 1)
	r := reader{l: DefaultLayout(), s: newStore(m, true)}
	noErr(t, r.open())
	b := r.db.NewBatch()
	noErr(t, setRecord(b, [16]byte{}, Tip{Seq: 7}, []byte("seven")))
	noErr(t, setRecord(b, [16]byte{}, Tip{Seq: 8}, []byte("eight")))
	noErr(t, b.Delete(recordKey(7), nil))
	noErr(t, setRecord(b, [16]byte{}, Tip{Seq: 9}, []byte("nine")))
	repr := slices.Clone(b.Repr())
	noErr(t, errors.Join(b.Close(), r.closeDB()))
	var got []string
	recordsOf(repr, func(seq uint64, raw []byte) {
		got = append(got, string(binary.AppendUvarint(nil, seq))+string(raw))
	})
	if want := []string{"\x07seven", "\x08eight"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSalvageForeignTable: a table of another journal is not taken for the
// beginning of this one, and another one's head file does not hide this one.
func TestSalvageForeignTable(t *testing.T) {
	m, other := newRoot(t), newRoot(t)
	recs := grown(t, m, 6)
	grown(t, other, 6)
	first := ""
	for name, has := range tablesOf(t, m, len(recs)) {
		if slices.Contains(has, 1) {
			first = name
		}
	}
	head := "bootstrap/journal_head"
	d := m.Clone()
	overwrite(t, d, first, read(t, other, first))
	if p, n := salvaged(t, d, recs); n != 0 || p.Broken == nil {
		t.Errorf("the first table exchanged: %d records, %+v", n, p)
	}
	overwrite(t, d, head, nil)
	noErr(t, d.Remove(theFile(t, d, prefix("MANIFEST-"))))
	n := 0
	p, err := Salvage(d, DefaultLayout(), func(Record) error { n++; return nil })
	if noErr(t, err); n != 1 || p.Journal == recs[0].Journal {
		t.Errorf("nothing tells which journal it is: %d records, %+v", n, p)
	}
	d = m.Clone()
	overwrite(t, d, head, read(t, other, head))
	if p, n := salvaged(t, d, recs); n != len(recs) || p.Journal != recs[0].Journal {
		t.Errorf("the head file exchanged: %d records, %+v", n, p)
	}
}
