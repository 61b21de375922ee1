package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

func text(lines []replay.Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Op + l.Text + ";")
	}
	return b.String()
}

func TestCompareLines(t *testing.T) {
	many := strings.Repeat("a\n", 1100)
	for _, tt := range []struct{ from, to, want string }{
		{"", "", ""},
		{"a\nb\n", "a\nb\n", ""},
		{"a\nb\n", "a\nb", ""}, // an end of a last line is no line
		{"", "a\n", "+a;"},
		{"a\n", "", "-a;"},
		{"a\nb\nc\n", "a\nx\nc\n", "-b;+x;"},
		{"a\nb\nc\nd\n", "b\nd\ne\n", "-a;-c;+e;"},
		{"ID=a\nV=1\nX=1\n", "ID=a\nV=2\nX=2\n", "-V=1;-X=1;+V=2;+X=2;"},
		{"x\n" + many, many + "y\n", "-x;+y;"},
	} {
		if got := text(replay.CompareLines(tt.from, tt.to)); len(tt.from) < 100 && got != tt.want {
			t.Errorf("%q to %q: %s, want %s", tt.from, tt.to, got, tt.want)
		}
	}
	if n := len(replay.CompareLines("x\n"+many, many+"y\n")); n != 2*1101 {
		t.Errorf("%d lines: for two texts that are too long all lines are reported", n)
	}
}

// Removing and adding the reported lines gives the other text.
func TestCompareLinesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gen := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 12)
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		gone, came := map[string]int{}, map[string]int{}
		for _, l := range replay.CompareLines(strings.Join(a, "\n"), strings.Join(b, "\n")) {
			if l.Op == "-" {
				gone[l.Text]++
			} else {
				came[l.Text]++
			}
		}
		for _, name := range []string{"a", "b", "c"} {
			count := func(all []string) (n int) {
				for _, x := range all {
					if x == name {
						n++
					}
				}
				return n
			}
			if count(a)-gone[name]+came[name] != count(b) {
				t.Fatalf("%v to %v: - %v + %v", a, b, gone, came)
			}
		}
	})
}

func TestCompare(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	first := h.State
	if d := replay.Compare(first, first); !d.Same() {
		t.Errorf("%+v", d)
	}
	h.Reconstruct(historytest.NewOS, 1)
	second := h.State
	h.Append(machine.PrecheckFailed{V: 1, ExitCode: 3, Stage: "certificate", Reason: "expired"})
	h.Append(machine.DrillRequested{V: 1, By: "op", Reason: "test"})
	h.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, NewKey: "k", By: "op", Reason: "lost"})
	h.Detect(historytest.OldOS)
	third := h.State
	d := replay.Compare(first, second)
	want := map[string]string{"epoch": "0 1", "manifest_serial": " 1", "uname_release": "6.8.0-a 6.8.0-b",
		"composite_hash": historytest.OldOS + " " + historytest.NewOS}
	check(t, d, want)
	if got := text(d.OSRelease); got != "-ID=a;+ID=b;" {
		t.Error(got)
	}
	if len(d.Files) != 1 || d.Files[0].Path != "runtime/edged" || d.Files[0].From != nil || d.Files[0].To.Mode != "0755" {
		t.Errorf("%+v", d.Files)
	}
	if back := replay.Compare(second, first); len(back.Files) != 1 || back.Files[0].To != nil || text(back.OSRelease) != "-ID=b;+ID=a;" {
		t.Errorf("%+v", back)
	}
	check(t, replay.Compare(second, third), map[string]string{"phase": "settled detected", "successor_keys": " k",
		"open_update": " since record 11, attempt 1, cause os_changed", "last_failure": " record 7, exit 3 at certificate", "drill": " record 8"})
	salvaged := first
	salvaged.Salvage = &machine.Salvage{Predecessor: "old"}
	check(t, replay.Compare(machine.State{}, salvaged), map[string]string{"salvaged_from": " old", "node": " " + historytest.Node})
}

// Lines after the cut of a recorded os-release are not compared, and that is said.
func TestCompareTruncated(t *testing.T) {
	state := func(text, hash string, cut bool) machine.State {
		return machine.State{Baseline: &machine.Baseline{OSRelease: text, OSReleaseTruncated: cut, Inputs: machine.Inputs{EtcOSRelease: hash}}}
	}
	for _, tt := range []struct {
		from, to machine.State
		want     bool
	}{
		{state("ID=a", "1", true), state("ID=a", "2", true), true},
		{state("ID=a", "1", true), state("ID=b", "2", false), true},
		{state("ID=a", "1", false), state("ID=b", "2", false), false},
		{state("ID=a", "1", true), state("ID=a", "1", true), false},
		{machine.State{}, state("ID=a", "1", true), false},
	} {
		if got := replay.Compare(tt.from, tt.to); got.OSReleaseTruncated != tt.want {
			t.Errorf("%+v", got)
		}
	}
}

func check(t *testing.T, d replay.Difference, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, c := range d.Changes {
		got[c.What] = c.From + " " + c.To
	}
	for what, change := range want {
		if got[what] != change {
			t.Errorf("%s: %q, want %q (of %s)", what, got[what], change, fmt.Sprint(got))
		}
	}
}
