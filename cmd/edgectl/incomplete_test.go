package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/mountinfo"
	"github.com/autonomyops/edged/internal/history/historytest"
)

// Lines that are there twice lose no record in any format; a torn, reordered or
// incomplete export is exit 1, and nothing is signed of it.
func TestDamagedExports(t *testing.T) {
	h := newHistory(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.jsonl")
	if code, _, errs := call(nil, "journal", "export", "--out", whole, "--state-root", h.Dir); code != 0 {
		t.Fatal(errs)
	}
	key := checkpointKeyFile(t)
	data, err := os.ReadFile(whole)
	historytest.Check(t, err)
	lines := slices.Collect(bytes.Lines(data))
	_, checkpoint, _ := call(nil, "journal", "checkpoint", "--key", key, "--journal", whole)
	want := map[string]string{}
	for _, format := range []string{"csv", "jsonl", "journald", "parquet"} {
		_, want[format], _ = call(nil, "journal", "export", "--format", format, "--out", "-", "--journal", whole)
	}
	for _, tt := range []struct {
		name  string
		parts [][][]byte
		code  int
		says  string
	}{
		{"doubled", [][][]byte{lines[:3], lines[2:3], lines[3:]}, 0, ""},
		{"overlapping", [][][]byte{lines[:6], lines[3:]}, 0, ""},
		{"twice", [][][]byte{lines, lines}, 0, ""},
		{"torn", [][][]byte{lines[:7], {lines[7][:200]}}, 1, "it ends within a record"},
		{"reordered", [][][]byte{lines[:3], lines[4:5], lines[3:4], lines[5:]}, 1, "record 4, out of order"},
		{"incomplete", [][][]byte{lines[:3], lines[5:]}, 1, "records 4 to 5 are missing"},
		{"no record, although it names its seq", [][][]byte{lines[:3], {bytes.Replace(lines[3], []byte(`"crit":`), []byte(`"crit": `), 1)}, lines[4:]}, 1, "line 4 is not a record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.jsonl")
			historytest.Check(t, os.WriteFile(path, bytes.Join(slices.Concat(tt.parts...), nil), 0o600))
			for format, whole := range want {
				code, out, errs := call(nil, "journal", "export", "--format", format, "--out", "-", "--journal", path)
				if code != tt.code || !strings.Contains(errs, tt.says) || code == 0 && out != whole {
					t.Errorf("%s: exit %d, %d bytes, want %d, %s", format, code, len(out), len(whole), errs)
				}
			}
			out := filepath.Join(filepath.Dir(path), "out")
			for _, args := range []string{"journal checkpoint", "journal prove --seq 1", "journal tiles --out " + out} {
				code, printed, errs := call(nil, append(strings.Fields(args), "--key", key, "--journal", path)...)
				if code != tt.code || !strings.Contains(errs, tt.says) || code != 0 && printed != "" {
					t.Errorf("%s: exit %d, %s%s", args, code, printed, errs)
				}
				if args == "journal checkpoint" && code == 0 && printed != checkpoint {
					t.Errorf("signs\n%snot\n%s", printed, checkpoint)
				}
			}
			if _, err := os.Stat(out); (err == nil) != (tt.code == 0) {
				t.Errorf("tiles: %v", err)
			}
			if code, _, errs := call(nil, "journal", "log", "--journal", path); code == 1 || !strings.Contains(errs, tt.says) {
				t.Errorf("log: exit %d, %s", code, errs)
			}
		})
	}
}

// Every reader looks at the head file: an older journal beside a newer head is
// reported by each of them, and nothing is signed of it.
func TestOlderJournal(t *testing.T) {
	h, older := olderJournal(t)
	key := checkpointKeyFile(t)
	out := filepath.Join(t.TempDir(), "out")
	const says = "acknowledged history is gone, the journal ends at record 8"
	for _, tt := range []struct {
		code int
		args string
		json bool
	}{
		{0, "journal log", false},
		{0, "journal head", true},
		{0, "journal show 3 --json", true},
		{0, "replay --at seq:3 --json", true},
		{0, "replay diff seq:3 seq:8 --json", true},
		{0, "replay explain --json", true},
		{1, "status --json", true},
		{1, "journal export --out -", false},
		{1, "journal verify", false},
		{1, "journal checkpoint --key " + key, false},
		{1, "journal prove --seq 2 --key " + key, false},
		{1, "journal tiles --out " + out + " --key " + key, false},
		{1, "audit bundle --out " + out, false},
		{1, "audit verify " + h.Dir, false},
	} {
		code, stdout, errs := call(map[string]string{"EDGE_STATE_ROOT": h.Dir}, strings.Fields(tt.args)...)
		if code != tt.code || strings.Contains(stdout, "REWRITTEN") || !strings.Contains(stdout+errs, says) {
			t.Errorf("%s: exit %d, %s%s", tt.args, code, stdout, errs)
		}
		var object map[string]any
		if tt.json && (json.Unmarshal([]byte(stdout), &object) != nil || !strings.Contains(fmt.Sprint(object["incomplete"]), says)) {
			t.Errorf("%s: %s", tt.args, stdout)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was signed")
	}
	if code, lines, _ := call(nil, "journal", "export", "--out", "-", "--state-root", h.Dir); code != 1 || strings.Count(lines, "\n") != 8 {
		t.Errorf("export: exit %d, %s", code, lines)
	}
	// Nothing vouches for a journal without its head file.
	const bare = "nothing vouches for its newest records"
	for args, want := range map[string]int{"journal log": 0, "journal export --out -": 0, "status": 0, "journal checkpoint --key " + key: 2} {
		if code, stdout, errs := call(nil, append(strings.Fields(args), "--journal", older)...); code != want || !strings.Contains(strings.Join(strings.Fields(stdout+errs), " "), bare) {
			t.Errorf("%s: exit %d, %s%s", args, code, stdout, errs)
		}
	}
}

// olderJournal returns a node whose journal was replaced by an older copy, which
// ends at record 8, and that copy. The head file names record 9.
func olderJournal(t *testing.T) (h *historytest.History, older string) {
	t.Helper()
	h = newHistory(t)
	journalDir := filepath.Join(h.Dir, "journal")
	older = filepath.Join(t.TempDir(), "older")
	historytest.Check(t, os.CopyFS(older, os.DirFS(journalDir)))
	h.Match()
	h.Stop()
	historytest.Check(t, os.RemoveAll(journalDir))
	historytest.Check(t, os.CopyFS(journalDir, os.DirFS(older)))
	return h, older
}

// mountOf returns the mounts of this machine as if the one that dir lies on had
// been mounted with the option.
func mountOf(t *testing.T, dir, option string) []mountinfo.Mount {
	t.Helper()
	f, err := os.Open(dir)
	historytest.Check(t, err)
	defer f.Close() //nolint:errcheck // read-only
	id, _, err := mountinfo.Locate(int(f.Fd()))
	historytest.Check(t, err)
	return mountinfo.Parse(fmt.Appendf(nil, "9999 1 8:1 / / rw - ext4 /dev/sda1 rw\n%s 9999 7:0 / /x ro - ext4 /dev/loop0 ro,%s\n", id, option))
}

// On a mount that skipped the filesystem's log, a history that ends before the
// head file is incomplete. It is never called rewritten, and no reader claims
// that history is gone.
func TestLogSkipped(t *testing.T) {
	h, _ := olderJournal(t)
	mounts := mountOf(t, h.Dir, "norecovery")
	key := checkpointKeyFile(t)
	out := filepath.Join(t.TempDir(), "out")
	const warning, named = "is mounted with norecovery: its log was not replayed", "incomplete: the log of the filesystem was not replayed"
	for args, want := range map[string]int{
		"journal log": 0, "journal head": 0, "journal show 3 --json": 0, "replay --at seq:3 --json": 0, "replay diff seq:3 seq:8": 0,
		"replay explain": 0, "status": 1, "status --json": 1, "journal export --out -": 1, "journal verify": 1, "journal verify --json": 1,
		"journal checkpoint --key " + key: 1, "audit bundle --out " + out: 1, "audit verify " + h.Dir: 1, "audit verify --json " + h.Dir: 1,
	} {
		code, stdout, errs := callOn(mounts, map[string]string{"EDGE_STATE_ROOT": h.Dir}, strings.Fields(args)...)
		all := strings.Join(strings.Fields(stdout+errs), " ")
		if code != want || strings.Count(errs, warning) != 1 || !strings.Contains(all, named) ||
			strings.Contains(strings.ToLower(all), "rewritten") || strings.Contains(all, "salvage") {
			t.Errorf("%s: exit %d, %s%s", args, code, stdout, errs)
		}
		var found struct {
			Verdict  string
			Findings []struct{ Severity, Code string }
		}
		if strings.Contains(args, "verify") && strings.Contains(args, "--json") {
			historytest.Check(t, json.Unmarshal([]byte(stdout), &found))
			if len(found.Findings) == 0 || found.Findings[0].Severity != "warning" || found.Findings[0].Code != "log_not_replayed" || strings.HasPrefix(args, "audit") && found.Verdict != "truncated" {
				t.Errorf("%s: %s", args, stdout)
			}
		}
	}
	for args, want := range map[string]string{"journal verify": "INCOMPLETE, the log of the filesystem was not replayed, 1 error", "audit verify " + h.Dir: "TRUNCATED"} {
		if _, stdout, _ := callOn(mounts, map[string]string{"EDGE_STATE_ROOT": h.Dir}, strings.Fields(args)...); !strings.Contains(stdout, want) {
			t.Errorf("%s: %s", args, stdout)
		}
	}
	// A whole history on such a mount is whole, with the same warning.
	sound := newHistory(t)
	mounts = mountOf(t, sound.Dir, "noload")
	for args, want := range map[string]int{"journal verify": 0, "audit verify " + sound.Dir: 0, "status": 1} { // there is no config
		code, stdout, errs := callOn(mounts, map[string]string{"EDGE_STATE_ROOT": sound.Dir}, strings.Fields(args)...)
		if code != want || !strings.Contains(errs, "is mounted with noload") || !strings.Contains(stdout, "is mounted with noload") {
			t.Errorf("%s: exit %d, %s%s", args, code, stdout, errs)
		}
	}
}

// checkpointKeyFile makes a private checkpoint key.
func checkpointKeyFile(t *testing.T) string {
	t.Helper()
	node := filepath.Join(t.TempDir(), "node")
	if code, _, errs := call(nil, "init", node, "--node", "n"); code != 0 {
		t.Fatal(errs)
	}
	return filepath.Join(node, "identity/journal-sign.key")
}
