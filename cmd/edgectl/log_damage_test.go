package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/history/historytest"
)

// exportOf gives the lines of a history of 8 records.
func exportOf(t *testing.T) []string {
	t.Helper()
	_, out, _ := call(nil, "journal", "log", "--json", "--state-root", newHistory(t).Dir)
	return strings.Split(strings.TrimSpace(out), "\n")
}

// logOf returns what journal log prints of lines.
func logOf(t *testing.T, lines []string, args ...string) (code int, seqs, errs string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.jsonl")
	historytest.Check(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	code, out, errs := call(nil, append([]string{"journal", "log", "--journal", path}, args...)...)
	var all []string
	for line := range strings.Lines(out) {
		all = append(all, strings.Fields(line)[0])
	}
	return code, strings.Join(all, " "), errs
}

// No line of an export hides another one, and what is out of its place is said.
func TestLogOrder(t *testing.T) {
	whole := exportOf(t)
	for _, tt := range []struct {
		name  string
		lines []string
		args  string
		code  int
		seqs  string
		said  string
	}{
		{"twice", slices.Insert(slices.Clone(whole), 3, whole[2], whole[2]), "", 0, "1 2 3 3 3 4 5 6 7 8", "record 3 is in the place of record 4 (such places: 2)"},
		{"twice, the newest", slices.Insert(slices.Clone(whole), 3, whole[2], whole[2]), "-n 2", 0, "7 8", "such places: 1"},
		{"twice, of a type", slices.Insert(slices.Clone(whole), 3, whole[2]), "--type EpochRotated", 0, "7", "record 3 is in the place of record 4"},
		{"an empty line", slices.Insert(slices.Clone(whole), 3, ""), "", 0, "1 2 3 4 4 5 6 7 8", "record 4 is in the place of record 5"},
		{"gone", slices.Delete(slices.Clone(whole), 3, 4), "", 2, "1 2 3 5 6 7 8", "record 5 is in this place"},
		{"gone, the newest", slices.Delete(slices.Clone(whole), 3, 4), "-n 3", 2, "6 7 8", "record 4;"},
		{"gone, of a type", slices.Delete(slices.Clone(whole), 3, 4), "--type EpochRotated", 2, "7", "record 4;"},
		{"two are gone", slices.Delete(slices.Delete(slices.Clone(whole), 5, 6), 3, 4), "", 2, "1 2 3 5 7 8", "(holes like this one: 2)"},
		{"too long", slices.Replace(slices.Clone(whole), 3, 4, strings.Repeat("x", 1<<19)), "-n 6", 2, "2 3 5 6 7 8", "line 4 is longer than any record"},
	} {
		code, seqs, said := logOf(t, tt.lines, strings.Fields(tt.args)...)
		if code != tt.code || seqs != tt.seqs || !strings.Contains(said, tt.said) {
			t.Errorf("%s: exit %d, %s, said %q", tt.name, code, seqs, said)
		}
	}
}

// A bad line at an end of an export hides nothing but itself. Status names the
// line, and is not healthy.
func TestLogBadEnd(t *testing.T) {
	whole := exportOf(t)
	for _, lines := range [][]string{
		slices.Replace(slices.Clone(whole), 7, 8, whole[7][1:]),
		slices.Replace(slices.Clone(whole), 0, 1, "{"+whole[0]),
	} {
		if code, seqs, said := logOf(t, lines); code != 0 || seqs != "1 2 3 4 5 6 7 8" {
			t.Errorf("exit %d, %s, said %q", code, seqs, said)
		}
		path := filepath.Join(t.TempDir(), "x.jsonl")
		historytest.Check(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
		if code, out, errs := call(nil, "replay", "explain", "--journal", path); code != 0 || strings.Count(out, "UNREADABLE") != 1 || !strings.Contains(out, "EPOCH 1") {
			t.Errorf("explained: exit %d, %s%s", code, out, errs)
		}
		if code, out, errs := call(nil, "status", "--journal", path); code != 1 || !strings.Contains(strings.Join(strings.Fields(out), " "), "is not a record") {
			t.Errorf("status: exit %d, %s%s", code, out, errs)
		}
	}
}

// What cannot be read may have passed the filter: it is counted.
func TestLogFilterDamage(t *testing.T) {
	whole := exportOf(t)
	for _, damage := range []string{
		strings.Replace(whole[6], `"crit":true`, `"crit":trux`, 1),
		whole[6][:200],
		"", "rubbish", `{"boot_id":"`,
	} {
		for _, args := range []string{"--type EpochRotated", "--epoch 1 --type EpochRotated", "--epoch 1 --since 2020-01-01 --run x --boot y --type X"} {
			if len(damage) > 100 && strings.Contains(args, " x") {
				continue // what can be read of it does not pass
			}
			code, seqs, said := logOf(t, slices.Replace(slices.Clone(whole), 6, 7, damage), strings.Fields(args)...)
			if code != 0 || seqs != "" || !strings.Contains(said, "1 record could not be read and may have passed the filter (first: 7)") {
				t.Errorf("%.20q, %s: exit %d, %s, said %q", damage, args, code, seqs, said)
			}
		}
	}
}

// One edited epoch hides no record of another epoch.
func TestLogEditedEpoch(t *testing.T) {
	lines := exportOf(t)
	lines[3] = strings.Replace(lines[3], `"epoch":0,"id"`, `"epoch":7,"id"`, 1)
	for epoch, want := range map[string]string{"0": "1 2 3 5 6", "1": "7 8", "7": "4"} {
		if code, seqs, said := logOf(t, lines, "--epoch", epoch); code != 0 || seqs != want {
			t.Errorf("epoch %s: exit %d, %s, said %q", epoch, code, seqs, said)
		}
	}
}

// A damaged block hides its own records and no others.
func TestLogDamagedBlock(t *testing.T) {
	h := historytest.New(t, t.TempDir())
	h.First()
	for range 1700 { // settled twelve times, and then compacted to one large table
		h.Match()
	}
	h.Publish()
	h.Close()
	_, out, _ := call(nil, "journal", "log", "--state-root", h.Dir)
	whole := strings.Count(out, "\n")
	table := historytest.Largest(t, filepath.Join(h.Dir, "journal", "*.sst"))
	data, err := os.ReadFile(table)
	historytest.Check(t, err)
	data[len(data)/2] ^= 1
	historytest.Check(t, os.WriteFile(table, data, 0o600))
	tip := h.State.Seq
	code, out, errs := call(nil, "journal", "log", "--state-root", h.Dir)
	n := strings.Count(out, "\n")
	if code != 2 || n < whole-300 || n >= whole || !strings.Contains(out, fmt.Sprintf("\n%d  ", tip)) || !strings.Contains(errs, "checksum") {
		t.Errorf("exit %d, %d of %d records, said %q", code, n, whole, errs)
	}
	for _, want := range []int{10, 1500} { // behind the block, and from before it
		code, out, errs = call(nil, "journal", "log", "-n", fmt.Sprint(want), "--state-root", h.Dir)
		if got := strings.Count(out, "\n"); got != want || (want == 10) != (code == 0) {
			t.Errorf("-n %d: exit %d, %d records, said %q", want, code, got, errs)
		}
	}
	code, out, errs = call(nil, "replay", "explain", "--state-root", h.Dir)
	if code != 0 || strings.Count(out, "UNREADABLE") != 1 || !strings.Contains(out, fmt.Sprintf("records     1 to %d,", tip)) {
		t.Errorf("explained: exit %d, %s%s", code, out, errs)
	}
}
