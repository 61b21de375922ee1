package export_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
)

// open returns a history of ten records, an hour apart, and their bytes.
func open(t *testing.T) (*history.Source, [][]byte, []time.Time) {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	h.First()
	for range 9 {
		h.Match()
	}
	h.Close()
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	t.Cleanup(func() { historytest.Check(t, src.Close()) })
	var lines [][]byte
	var times []time.Time
	for rec, err := range src.Records(1, 10) {
		historytest.Check(t, err)
		lines, times = append(lines, bytes.Clone(rec.Raw)), append(times, rec.Time)
	}
	return src, lines, times
}

func join(lines [][]byte) string { return string(append(bytes.Join(lines, []byte("\n")), '\n')) }

func TestJSONLIsTheExactBytes(t *testing.T) {
	src, lines, times := open(t)
	for _, tt := range []struct {
		name string
		opt  export.Options
		want [][]byte
	}{
		{"all", export.Options{}, lines},
		{"from a record", export.Options{From: 4}, lines[3:]},
		{"since a record's time", export.Options{Since: times[5]}, lines[5:]},
		{"since after it", export.Options{Since: times[5].Add(1)}, lines[6:]},
		{"both", export.Options{From: 8, Since: times[5]}, lines[7:]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			n, err := export.Write(&out, src, "jsonl", tt.opt)
			if err != nil || n != uint64(len(tt.want)) || out.String() != join(tt.want) {
				t.Errorf("%d records, %v:\n%s", n, err, out.String())
			}
		})
	}
	var out bytes.Buffer
	if n, err := export.Write(&out, src, "jsonl", export.Options{From: 11}); n != 0 || err != nil || out.Len() != 0 {
		t.Errorf("beyond the end: %d, %v, %q", n, err, out.String())
	}
}

// broken is a history that cannot be read after its second record.
type broken struct{ *history.Source }

var errBroken = errors.New("broken")

func (b broken) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		for raw := range b.Source.RawRecords(from, 2) {
			if !yield(raw, nil) {
				return
			}
		}
		yield(journal.RawRecord{}, errBroken)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestErrors(t *testing.T) {
	src, lines, _ := open(t)
	var out bytes.Buffer
	n, err := export.Write(&out, broken{src}, "jsonl", export.Options{})
	if n != 2 || !errors.Is(err, errBroken) || out.String() != join(lines[:2]) {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
	if _, err := export.Write(full{}, src, "jsonl", export.Options{}); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if _, err := export.Write(&out, src, "xml", export.Options{}); !errors.Is(err, export.ErrFormat) {
		t.Error(err)
	}
	if got := export.Formats(); !slices.Contains(got, "jsonl") {
		t.Error(got)
	}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestFileIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.jsonl")
	read := func() string {
		data, err := os.ReadFile(path)
		historytest.Check(t, err)
		return string(data)
	}
	fails := func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return errBroken
	}
	if err := export.File(path, "", fails); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("a failed export left %v", names)
	}
	historytest.Check(t, export.File(path, "", text("one")))
	if err := export.File(path, "", fails); !errors.Is(err, errBroken) || read() != "one" {
		t.Errorf("%v, %q", err, read())
	}
	historytest.Check(t, export.File(path, "", text("two")))
	link := filepath.Join(dir, "link")
	historytest.Check(t, os.Symlink("x.jsonl", link))
	historytest.Check(t, export.File(link, "", text("three")))
	if got := read(); got != "three" {
		t.Errorf("through a link: %q", got)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}

func TestFileThatIsNone(t *testing.T) {
	historytest.Check(t, export.File("/dev/null", "", text("gone")))
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("/dev/null was replaced: %v, %v", info.Mode(), err)
	}
	dir := t.TempDir()
	if err := export.File(dir, "", text("")); err == nil {
		t.Error("wrote over a directory")
	}
	if err := export.File(filepath.Join(dir, "no", "x"), "", text("")); err == nil {
		t.Error("wrote into a directory that is not there")
	}
}

func TestEvidenceIsNotWrittenTo(t *testing.T) {
	root := t.TempDir()
	historytest.Check(t, os.Mkdir(filepath.Join(root, "sub"), 0o700))
	link := filepath.Join(t.TempDir(), "link")
	historytest.Check(t, os.Symlink(filepath.Join(root, "sub"), link))
	file := filepath.Join(root, "sub", "history.jsonl")
	historytest.Check(t, os.WriteFile(file, []byte("x"), 0o600))
	t.Chdir(root)
	for _, tt := range []struct{ path, keepOut string }{
		{filepath.Join(root, "x"), root},
		{filepath.Join(root, "sub", "x"), root},
		{filepath.Join(link, "x"), root},
		{"x", root},
		{file, file},
	} {
		if err := export.File(tt.path, tt.keepOut, text("y")); !errors.Is(err, export.ErrInside) {
			t.Errorf("%s: %v", tt.path, err)
		}
	}
	historytest.Check(t, export.File(filepath.Join(t.TempDir(), "x"), root, text("y")))
	historytest.Check(t, export.File(filepath.Join(root, "sub", "y"), file, text("y")))
}
