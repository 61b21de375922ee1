package history_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/replay"
)

func openLines(t *testing.T, tail string, lines ...[]byte) *history.Source {
	t.Helper()
	src, err := history.Open(linesFile(t, tail, lines...))
	historytest.Check(t, err)
	t.Cleanup(func() { historytest.Check(t, src.Close()) })
	return src
}

func linesFile(t testing.TB, tail string, lines ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.jsonl")
	historytest.Export(t, path, lines...)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	historytest.Check(t, err)
	_, err = f.WriteString(tail)
	historytest.Check(t, errors.Join(err, f.Close()))
	return path
}

// walk reads everything and returns the number of records and the error.
func walk(src *history.Source) (n uint64, err error) {
	for _, err := range src.Records(src.First(), src.Tip().Seq) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func TestExportThatBeginsLater(t *testing.T) {
	h := newHistory(t)
	h.Close()
	lines := exported(t, h.Dir)
	src := openLines(t, "", lines[3:]...)
	if src.First() != 4 || src.Tip().Seq != uint64(len(lines)) {
		t.Errorf("from %d to %d", src.First(), src.Tip().Seq)
	}
	if n, err := walk(src); err != nil || n != uint64(len(lines)-3) {
		t.Errorf("%d records, %v", n, err)
	}
	if _, err := src.Record(3); !errors.Is(err, errs.ErrNotFound) {
		t.Error(err)
	}
	for _, err := range src.Records(2, 9) {
		if !errors.Is(err, errs.ErrNotFound) {
			t.Errorf("records before the first: %v", err)
		}
	}
	for rec, err := range src.Records(6, 6) {
		if err != nil || rec.Seq != 6 {
			t.Errorf("%d, %v", rec.Seq, err)
		}
	}
}

func TestExportTail(t *testing.T) {
	h := newHistory(t)
	h.Close()
	lines := exported(t, h.Dir)
	n := len(lines)
	torn := openLines(t, string(lines[n-1][:100]), lines[:n-1]...)
	if !torn.Torn() || torn.Tip().Seq != uint64(n-1) {
		t.Errorf("torn %t, tip %d", torn.Torn(), torn.Tip().Seq)
	}
	whole := openLines(t, string(lines[n-1]), lines[:n-1]...)
	if whole.Torn() || whole.Tip().Seq != uint64(n) {
		t.Errorf("torn %t, tip %d", whole.Torn(), whole.Tip().Seq)
	}
	for _, src := range []*history.Source{torn, whole} {
		if got, err := walk(src); err != nil || got != src.Tip().Seq {
			t.Errorf("%d records, %v", got, err)
		}
	}
}

func TestExportDamage(t *testing.T) {
	h := newHistory(t)
	h.Close()
	other := newHistory(t)
	other.Close()
	lines, foreign := exported(t, h.Dir), exported(t, other.Dir)
	flipped := bytes.Replace(lines[2], []byte(`"v":1}`), []byte(`"v":1,}`), 1)
	for _, tt := range []struct {
		name  string
		lines [][]byte
		read  uint64
		want  error
	}{
		{"whole", lines, uint64(len(lines)), nil},
		{"gap", slices.Delete(slices.Clone(lines), 2, 3), 2, errs.ErrCorrupt},
		{"duplicate", slices.Insert(slices.Clone(lines), 2, lines[1]), uint64(len(lines)), nil},
		{"another journal's record", slices.Replace(slices.Clone(lines), 2, 3, foreign[2]), 2, journal.ErrForeign},
		{"not a record", slices.Replace(slices.Clone(lines), 2, 3, flipped), 2, errs.ErrCorrupt},
		{"too long", slices.Replace(slices.Clone(lines), 2, 3, bytes.Repeat([]byte("x"), 1<<20)), 2, errs.ErrCorrupt},
		{"swapped", slices.Replace(slices.Clone(lines), 2, 4, lines[3], lines[2]), uint64(len(lines)), errs.ErrCorrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := openLines(t, "", tt.lines...)
			n, err := walk(src)
			if tt.name == "swapped" {
				err = src.Damage() // all lines can be read
			}
			if n != tt.read || !errors.Is(err, tt.want) {
				t.Errorf("%d records, %v", n, err)
			}
			if damage := src.Damage(); !errors.Is(damage, tt.want) {
				t.Errorf("damage %v", damage)
			}
		})
	}
	t.Run("last line before the first", func(t *testing.T) {
		if src := openLines(t, "", lines[3], lines[2]); !errors.Is(src.Damage(), errs.ErrCorrupt) || src.First() != 3 || src.Tip().Seq != 4 {
			t.Error(src.Damage())
		}
	})
	t.Run("broken link", func(t *testing.T) {
		rewritten := bytes.Replace(lines[2], []byte(`"uptime_ms":1000`), []byte(`"uptime_ms":1001`), 1)
		src := openLines(t, "", slices.Replace(slices.Clone(lines), 2, 3, rewritten)...)
		n, err := walk(src)
		if n != 3 || !errors.Is(err, errs.ErrCorrupt) {
			t.Errorf("%d records, %v", n, err)
		}
		for _, err := range src.Records(4, 4) {
			if !errors.Is(err, errs.ErrCorrupt) {
				t.Errorf("read from the middle: %v", err)
			}
		}
	})
}

// A record's place is its own seq: repeated lines and overlapping exports hide
// no record. A repeated line is damage only if it differs.
func TestExportOverlaps(t *testing.T) {
	h := newHistory(t)
	h.Close()
	lines := exported(t, h.Dir)
	n := len(lines)
	forged := bytes.Replace(lines[5], []byte(`"uptime_ms":`), []byte(`"uptime_ms":1`), 1)
	for _, tt := range []struct {
		name   string
		parts  [][][]byte
		damage bool
	}{
		{"the whole twice", [][][]byte{lines, lines}, false},
		{"overlapping", [][][]byte{lines[:7], lines[4:]}, false},
		{"a part again", [][][]byte{lines, lines[3:5]}, false},
		{"the newest line again", [][][]byte{lines, lines[n-1:]}, false},
		{"newest first", [][][]byte{lines[4:], lines[:6]}, true}, // all records, out of order
		{"another record again", [][][]byte{lines, {forged}}, true},
		{"a hole between", [][][]byte{lines[:3], lines[5:]}, true},
	} {
		src := openLines(t, "", slices.Concat(tt.parts...)...)
		if src.First() != 1 || src.Tip().Seq != uint64(n) || (src.Damage() != nil) != tt.damage {
			t.Errorf("%s: records %d to %d, damage %v", tt.name, src.First(), src.Tip().Seq, src.Damage())
		}
		if got, err := walk(src); tt.name != "a hole between" && (got != uint64(n) || err != nil) {
			t.Errorf("%s: %d records, %v", tt.name, got, err)
		}
		for _, seq := range []uint64{uint64(n), 2, 6} {
			if rec, err := src.Record(seq); err != nil || !bytes.Equal(rec.Raw, lines[seq-1]) {
				t.Errorf("%s: record %d: %v", tt.name, seq, err)
			}
		}
	}
	if torn := openLines(t, string(lines[n-1][:100]), lines[:n-1]...); !errors.Is(torn.Damage(), journal.ErrTorn) {
		t.Errorf("torn: damage %v", torn.Damage())
	}
}

// Lines that are not records are damage, and hide no record, wherever they are.
func TestBadLines(t *testing.T) {
	h := newHistory(t)
	h.Close()
	lines := exported(t, h.Dir)
	n := len(lines)
	bad := []byte(`{"rubbish":true}`)
	named := bytes.Replace(lines[2], []byte(`"v":1}`), []byte(`"v":1,}`), 1) // it names its seq
	for _, tt := range []struct {
		name       string
		lines      [][]byte
		first, tip uint64
		says       string
	}{
		{"the last line", slices.Replace(slices.Clone(lines), n-1, n, bad), 1, uint64(n - 1), fmt.Sprintf("line %d is not a record", n)},
		{"the last lines", slices.Replace(slices.Clone(lines), n-2, n, bad, bad), 1, uint64(n - 2), fmt.Sprintf("line %d is not a record", n-1)},
		{"the first line", slices.Replace(slices.Clone(lines), 0, 1, bad), 1, uint64(n), "line 1 is not a record"},
		{"the first lines of a later part", slices.Replace(slices.Clone(lines[2:]), 0, 2, bad, bad), 3, uint64(n), "line 1 is not a record"},
		{"more lines than there are places", slices.Insert(slices.Clone(lines[2:]), 0, bad, bad, bad, bad), 1, uint64(n), "line 1 is not a record"},
		{"in the middle, with its seq", slices.Replace(slices.Clone(lines), 2, 3, named), 1, uint64(n), "line 3 is not a record"},
		{"in the middle, without", slices.Replace(slices.Clone(lines), 2, 3, bad), 1, uint64(n), "line 3 is not a record"},
		{"an empty record", slices.Replace(slices.Clone(lines), 0, 1, []byte("{")), 1, uint64(n), "line 1 is not a record"},
		{"too long", slices.Replace(slices.Clone(lines), 0, 1, bytes.Repeat([]byte("{"), 1<<20)), 1, uint64(n), "line 1 is longer than any record"},
		{"too long for a record", slices.Replace(slices.Clone(lines), 2, 3, bytes.Repeat([]byte("{"), record.MaxLen+1)), 1, uint64(n), "line 3 is not a record"},
		{"both ends", slices.Replace(slices.Replace(slices.Clone(lines), 0, 1, bad), n-1, n, bad), 1, uint64(n - 1), "line 1 is not a record"},
	} {
		path := linesFile(t, "", tt.lines...)
		src, err := history.Open(path)
		historytest.Check(t, err)
		damage := src.Damage()
		if src.First() != tt.first || src.Tip().Seq != tt.tip || !history.IsDamage(damage) || !strings.Contains(damage.Error(), tt.says) || !strings.Contains(damage.Error(), path) {
			t.Errorf("%s: records %d to %d, damage %v", tt.name, src.First(), src.Tip().Seq, damage)
		}
		for i, line := range lines {
			if !slices.ContainsFunc(tt.lines, func(l []byte) bool { return bytes.Equal(l, line) }) {
				continue
			}
			if rec, err := src.Record(uint64(i + 1)); err != nil || !bytes.Equal(rec.Raw, line) {
				t.Errorf("%s: record %d: %v", tt.name, i+1, err)
			}
		}
		seen := 0
		for p, err := range replay.Onward(t.Context(), src, src.First(), src.Tip().Seq) {
			historytest.Check(t, err)
			if _, err := record.Decode(p.Raw); err == nil {
				seen++
			}
		}
		want := 0
		for _, line := range tt.lines {
			if _, err := record.Decode(line); err == nil {
				want++
			}
		}
		if seen != want {
			t.Errorf("%s: %d records, want %d", tt.name, seen, want)
		}
		historytest.Check(t, src.Close())
	}
	for _, path := range []string{linesFile(t, "", bad, bad), linesFile(t, "x")} {
		if _, err := history.Open(path); err == nil {
			t.Error("opened what holds no record")
		}
	}
}

// A record of a newer version is not damage.
func TestNewerLines(t *testing.T) {
	h := newHistory(t)
	h.Close()
	lines := exported(t, h.Dir)
	for _, i := range []int{0, 2, len(lines) - 1} {
		newer := bytes.Replace(lines[i], []byte(`"v":1}`), []byte(`"v":2}`), 1)
		newer = newer[:bytes.LastIndex(newer, []byte(`"v":`))]
		src := openLines(t, "", slices.Replace(slices.Clone(lines), i, i+1, append(newer, `"v":2}`...))...)
		if src.Damage() != nil || src.First() != 1 || src.Tip().Seq != uint64(len(lines)) {
			t.Errorf("line %d: records %d to %d, damage %v", i+1, src.First(), src.Tip().Seq, src.Damage())
		}
		if _, err := src.Record(uint64(i + 1)); !errors.Is(err, errs.ErrNewer) || history.IsDamage(err) {
			t.Errorf("line %d: %v", i+1, err)
		}
	}
}

// Every record of a long export is found by its seq, in any order.
func TestExportIndex(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	for range 700 {
		h.Append(machineMatch(h))
	}
	h.Close()
	lines := exported(t, h.Dir)
	src := openLines(t, "", lines...)
	for _, seq := range []uint64{701, 1, 256, 257, 258, 512, 513, 600, 700, 2} {
		rec, err := src.Record(seq)
		if err != nil || rec.Seq != seq || !bytes.Equal(rec.Raw, lines[seq-1]) {
			t.Errorf("record %d: %v", seq, err)
		}
	}
}

func FuzzExport(f *testing.F) {
	h := newHistory(f)
	h.Close()
	lines := exported(f, h.Dir)
	f.Add(append(bytes.Join(lines, []byte("\n")), '\n'))
	f.Add([]byte("{}\n{}"))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "x.jsonl")
		historytest.Check(t, os.WriteFile(path, data, 0o600))
		src, err := history.Open(path)
		if err != nil {
			return
		}
		defer src.Close() //nolint:errcheck // read-only
		if n, err := walk(src); err == nil && n != src.Tip().Seq-src.First()+1 {
			t.Errorf("%d records from %d to %d", n, src.First(), src.Tip().Seq)
		}
	})
}
