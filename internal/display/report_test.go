package display_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
	"github.com/autonomyops/edged/replay/explain"
)

// golden compares text with a file; -update writes it.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		historytest.Check(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	historytest.Check(t, err)
	if string(want) != text {
		t.Errorf("%s holds\n%s\nand it is now\n%s", path, want, text)
	}
	readable(t, text)
}

// readable fails the test if text can move a cursor or has a line wider than a
// terminal.
func readable(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > display.Width || strings.TrimRight(line, " ") != line {
			t.Errorf("%d columns: %q", n, line)
		}
		for _, r := range line {
			if r < ' ' || r > '~' {
				t.Errorf("%q holds %U", line, r)
			}
		}
	}
}

var _ = flag.Bool("update", false, "write the golden files")

func eventful(t *testing.T) *history.Source {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	h.Eventful()
	h.Close()
	src, err := history.Open(h.Dir)
	historytest.Check(t, err)
	t.Cleanup(func() { _ = src.Close() })
	return src
}

func TestReport(t *testing.T) {
	src := eventful(t)
	rep, err := explain.Explain(t.Context(), src, explain.Options{})
	historytest.Check(t, err)
	rep.Journal = "(drawn)"
	rep.Unreadable = []explain.Unreadable{{Seq: 99, Reason: "rub\x1bbish", Final: true}}
	var b strings.Builder
	historytest.Check(t, display.Report(&b, rep))
	golden(t, "report.golden", b.String())

	for _, beginning := range []func(*historytest.History){(*historytest.History).Adopted, (*historytest.History).Salvaged} {
		h := historytest.New(t, t.TempDir())
		beginning(h)
		h.Close()
		src, err := history.Open(h.Dir)
		historytest.Check(t, err)
		rep, err := explain.Explain(t.Context(), src, explain.Options{})
		historytest.Check(t, errors.Join(err, src.Close()))
		b.Reset()
		historytest.Check(t, display.Report(&b, rep))
		readable(t, b.String())
	}
	b.Reset()
	historytest.Check(t, display.Report(&b, &explain.Report{}))
	if !strings.Contains(b.String(), "none that can be read") {
		t.Error(b.String())
	}
	full := errors.New("full")
	if err := display.Report(broken{full}, rep); !errors.Is(err, full) {
		t.Error(err)
	}
}

type broken struct{ err error }

func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestPoint(t *testing.T) {
	src := eventful(t)
	for seq := uint64(1); seq <= src.Tip().Seq; seq++ {
		s, _, err := replay.State(src, seq)
		historytest.Check(t, err)
		rec, err := src.Record(seq)
		historytest.Check(t, err)
		text := display.Point(rec, src.Tip().Seq, s)
		readable(t, text)
		for _, want := range []string{"phase       " + string(s.Phase), "journal     " + s.Journal} {
			if !strings.Contains(text, want) {
				t.Errorf("record %d: no %q in\n%s", seq, want, text)
			}
		}
		if s.Current != nil && !strings.Contains(text, s.Current.Manifest.Hash) {
			t.Errorf("record %d: no manifest in\n%s", seq, text)
		}
		if s.Open != nil && !strings.Contains(text, "open ") {
			t.Errorf("record %d: no open reconstruction in\n%s", seq, text)
		}
	}
	salvaged := display.Point(recordOf(t, machine.DrillRequested{}), 9, machine.State{Salvage: &machine.Salvage{Predecessor: "p", Lost: "all"},
		Keys: machine.Keys{Checkpoint: "c", Successors: []string{"s"}}})
	for _, want := range []string{"from journal p", "next key    s", "key c", "baseline    none yet"} {
		if !strings.Contains(salvaged, want) {
			t.Errorf("no %q in\n%s", want, salvaged)
		}
	}
}

func TestDifference(t *testing.T) {
	src := eventful(t)
	a, _, err := replay.State(src, 2)
	historytest.Check(t, err)
	b, _, err := replay.State(src, src.Tip().Seq)
	historytest.Check(t, err)
	d := replay.Compare(a, b)
	golden(t, "difference.golden", display.Difference("seq:2", "the end", d))
	if text := display.Difference("a", "b", replay.Compare(a, a)); !strings.Contains(text, "nothing differs") {
		t.Error(text)
	}
	d.Files[0].Path = strings.Repeat("long/", 30)
	back := display.Difference("the end", "seq:2", replay.Compare(b, a)) + display.Difference("a", "b", d)
	readable(t, back)
	if !strings.Contains(back, "-> not installed") {
		t.Error(back)
	}
}

// A sign stays with its text, also if the text has no space to fold at.
func TestSignOfALongLine(t *testing.T) {
	long := "BUILD_ID=" + strings.Repeat("x", 100)
	d := replay.Difference{OSRelease: []replay.Line{{Op: "-", Text: long}, {Op: "+", Text: long + " y"}},
		Changes: []replay.Change{{What: "binary_hash", From: long, To: long}}}
	text := display.Difference("a", "b", d)
	readable(t, text)
	for _, want := range []string{"\n  - BUILD_ID=xxx", "\n  + BUILD_ID=xxx", "\n    xxx"} {
		if strings.Count(text, want) < 2 {
			t.Errorf("no two %q in\n%s", want, text)
		}
	}
}

func TestSystem(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"rubbish\n=\n":                        "",
		"PRETTY_NAME=\"Debian 12\"\nID=x\n":   "Debian 12",
		"NAME='Alpine Linux'\nVERSION_ID=3\n": "Alpine Linux 3",
		"ID=fedora\n":                         "fedora",
		"PRETTY_NAME=\"\x1b[2J\"":             "?[2J",
	} {
		if got := display.System(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
