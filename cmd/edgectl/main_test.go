package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable/mountinfo"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
)

// call runs a command in this process.
func call(env map[string]string, args ...string) (code int, stdout, stderr string) {
	return callOn(nil, env, args...)
}

// callOn is call with what is mounted.
func callOn(all []mountinfo.Mount, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(&env{ctx: context.Background(), getenv: func(k string) string { return vars[k] },
		mounts: func() []mountinfo.Mount { return all }, stdout: &out, stderr: &errs}, args)
	return code, out.String(), errs.String()
}

func newHistory(t *testing.T) *historytest.History {
	t.Helper()
	h := historytest.New(t, t.TempDir())
	h.First()
	h.Match()
	h.Reconstruct(historytest.NewOS, 1)
	h.Match()
	h.Publish()
	return h
}

// Wherever the state root is named, the same history is read.
func TestTarget(t *testing.T) {
	h := newHistory(t)
	code, want, _ := call(nil, "journal", "head", "--state-root", h.Dir)
	if code != 0 || !strings.Contains(want, `"seq":8`) {
		t.Fatalf("%d, %s", code, want)
	}
	node := t.TempDir()
	if code, _, errs := call(nil, "init", node, "--node", "n"); code != 0 {
		t.Fatal(errs)
	}
	cfg := filepath.Join(node, "bootstrap/config.yaml")
	data, err := os.ReadFile(cfg)
	historytest.Check(t, err)
	historytest.Check(t, os.WriteFile(cfg, bytes.ReplaceAll(data, []byte(`root: "`+node+`"`), []byte(`root: "`+h.Dir+`"`)), 0o600))
	for _, tt := range []struct {
		env  map[string]string
		args []string
	}{
		{nil, []string{"--state-root", h.Dir, "journal", "head"}},
		{nil, []string{"journal", "--state-root=" + h.Dir, "head", "--json"}},
		{nil, []string{"--config", cfg, "journal", "head"}},
		{nil, []string{"journal", "head", "--config", cfg}},
		{nil, []string{"journal", "head", "--journal", h.Dir}},
		{nil, []string{"journal", "--journal", filepath.Join(h.Dir, "journal"), "head"}},
		{map[string]string{"EDGE_STATE_ROOT": h.Dir}, []string{"journal", "head"}},
		{map[string]string{"EDGE_STATE_ROOT": h.Dir, "EDGE_CONFIG": "/absent"}, []string{"journal", "head"}},
		{map[string]string{"EDGE_CONFIG": cfg}, []string{"journal", "head"}},
		{map[string]string{"EDGE_STATE_ROOT": "/absent"}, []string{"journal", "head", "--state-root", h.Dir}},
		{map[string]string{"EDGE_STATE_ROOT": "/absent"}, []string{"journal", "head", "--journal", h.Dir}},
	} {
		if code, got, errs := call(tt.env, tt.args...); code != 0 || got != want {
			t.Errorf("%v %v: %d, %s%s", tt.env, tt.args, code, got, errs)
		}
	}
}

// The epochs of the history that a command line names are completed.
func TestCompleteEpochs(t *testing.T) {
	h := newHistory(t)
	for _, tt := range []struct{ args, want string }{
		{"replay --state-root " + h.Dir + " --at epoch:", "epoch:0\nepoch:1\n:4\n"},
		{"replay --state-root " + h.Dir + " --at ep", "epoch:\n:6\n"},
		{"replay diff --journal " + h.Dir + " epoch:0 epoch:1", "epoch:1\n:4\n"},
		{"replay explain --state-root " + h.Dir + " --epoch=", "0\n1\n:4\n"},
		{"journal log --state-root " + h.Dir + " --epoch=1", "1\n:4\n"},
		{"replay --state-root /absent --at epoch:", ":4\n"},
	} {
		code, out, _ := call(nil, append([]string{"__complete"}, strings.Fields(tt.args)...)...)
		if code != 0 || out != tt.want {
			t.Errorf("%s: %d, %q", tt.args, code, out)
		}
	}
}

func TestLogFilters(t *testing.T) {
	h := newHistory(t)
	boot := h.State.Run.BootID
	for _, tt := range []struct {
		args string
		want string // seqs
	}{
		{"", "1 2 3 4 5 6 7 8"},
		{"-n 3", "6 7 8"},
		{"-n 99", "1 2 3 4 5 6 7 8"},
		{"--type FingerprintCaptured", "1 2 3 8"},
		{"--type FingerprintCaptured -n 2", "3 8"},
		{"--type OpApplied --type EpochRotated", "6 7"},
		{"--type Nothing", ""},
		{"--epoch 1", "7 8"},
		{"--epoch 0 --type EpochRotated", ""},
		{"--boot " + boot, "8"},
		{"--boot " + boot[:9], "8"},
		{"--run " + h.State.Run.ID, "8"},
		{"--since 2026-03-04T12:30:00Z", "3 4 5 6 7 8"},
		{"--until 2026-03-04T12:30:00Z", "1 2"},
		{"--since 2026-03-04 --until 2026-03-03", ""},
		{"--since 2026-03-05", ""},
		{"--since 1h", ""},
	} {
		code, out, errs := call(nil, append(strings.Fields("journal log --state-root "+h.Dir), strings.Fields(tt.args)...)...)
		var seqs []string
		for line := range strings.Lines(out) {
			seqs = append(seqs, strings.Fields(line)[0])
		}
		if got := strings.Join(seqs, " "); code != 0 || got != tt.want {
			t.Errorf("%s: %d, %q, want %q\n%s", tt.args, code, got, tt.want, errs)
		}
	}
}

// Damage is shown where it is, and what is whole beside it.
func TestLogOfADamagedExport(t *testing.T) {
	h := newHistory(t)
	_, out, _ := call(nil, "journal", "log", "--json", "--state-root", h.Dir)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	lines[2] = lines[2][1:]
	path := filepath.Join(t.TempDir(), "x.jsonl")
	historytest.Check(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"+lines[4][:50]), 0o600))
	code, out, errs := call(nil, "journal", "log", "--journal", path)
	if code != 0 || strings.Count(out, "\n") != 8 || !strings.Contains(out, "3  -                     unreadable: decode record: ") {
		t.Errorf("%d\n%s", code, out)
	}
	if !strings.Contains(errs, "ends within a record") {
		t.Error(errs)
	}
}

func TestShow(t *testing.T) {
	h := newHistory(t)
	root := []string{"journal", "show", "--state-root", h.Dir}
	_, byID, _ := call(nil, "journal", "log", "--json", "--state-root", h.Dir, "--type", "OpApplied")
	_, rest, _ := strings.Cut(byID, `"id":"`)
	id := rest[:36]
	code, want, errs := call(nil, append(root, "6")...)
	if code != 0 || !strings.Contains(want, id) {
		t.Fatalf("%d, %s%s", code, want, errs)
	}
	if code, got, errs := call(nil, append(root, id)...); code != 0 || got != want {
		t.Errorf("by id: %d, %s%s", code, got, errs)
	}
	for _, tt := range []struct{ name, want string }{
		{"9", "1 to 8"}, {"0", "1 to 8"}, {"123456789", "1 to 8"}, {"zzz", "names no record"}, {"ffffffff", "no record has an id"},
		{id[:8], "records have an id"},
	} {
		if code, _, errs := call(nil, append(root, tt.name)...); code != 2 || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: %d, %s", tt.name, code, errs)
		}
	}
}

// What is not known is said, and not made up.
func TestShowWithoutTheBeginning(t *testing.T) {
	h := newHistory(t)
	path := filepath.Join(t.TempDir(), "x.jsonl")
	if code, _, errs := call(nil, "journal", "export", "--from-seq", "5", "--out", path, "--state-root", h.Dir); code != 0 {
		t.Fatal(errs)
	}
	code, out, errs := call(nil, "journal", "show", "6", "--journal", path)
	if code != 0 || !strings.Contains(out, "before    unknown: ") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	code, out, _ = call(nil, "journal", "show", "6", "--json", "--journal", path)
	if code != 0 || !strings.Contains(out, `"state_before":null,"state_after":null,"state_unknown":"`) {
		t.Errorf("%d, %s", code, out)
	}
	h2 := historytest.New(t, t.TempDir())
	h2.First()
	h2.Wild = true
	h2.Append(historytest.Applied())
	h2.Append(machine.DrillCancelled{V: 1})
	h2.Stop()
	code, out, _ = call(nil, "journal", "show", "2", "--state-root", h2.Dir)
	if code != 0 || !strings.Contains(out, "after     unknown: record 2 (OpApplied)") {
		t.Errorf("%d, %s", code, out)
	}
}

// Every command has help with an example.
func TestHelp(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		args := strings.Fields(cmd.CommandPath())[1:]
		code, out, errs := call(nil, append(args, "--help")...)
		if code != 0 || errs != "" || !strings.Contains(out, "Examples:") || !strings.Contains(out, "--state-root") {
			t.Errorf("%v: %d, %s%s", args, code, out, errs)
		}
		for line := range strings.Lines(out) {
			if len(line) > 120 || strings.IndexFunc(line, func(r rune) bool { return r > '~' }) >= 0 {
				t.Errorf("%v: a line of %d columns, or not of ASCII: %s", args, len(line), line)
			}
		}
		for _, c := range cmd.Commands() {
			if c.Name() != "help" {
				visit(c)
			}
		}
	}
	visit(root(&env{}))
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]string{
		"": "0001-01-01T00:00:00Z", "2026-03-04": "2026-03-04T00:00:00Z", "2026-03-04 10:11": "2026-03-04T10:11:00Z",
		"2026-03-04T10:11:12+02:00": "2026-03-04T08:11:12Z", "2026-03-04T10:11:12.5Z": "2026-03-04T10:11:12.5Z",
		"36h": "2026-03-09T00:00:00Z", "7d": "2026-03-03T12:00:00Z", "90m": "2026-03-10T10:30:00Z",
	} {
		got, err := parseTime("--since", s, now)
		if err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s, %v", s, got, err)
		}
	}
	for _, s := range []string{"x", "-3h", "-1d", "2026-13-01", "99999999d"} {
		if _, err := parseTime("--since", s, now); err == nil {
			t.Errorf("%q is taken for a time", s)
		}
	}
}
