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
		{"torn", [][][]byte{lines[:7], {lines[7][:200]}}, 1, "part of a record"},
		{"reordered", [][][]byte{lines[:3], lines[4:5], lines[3:4], lines[5:]}, 1, "record 4, which is out of order"},
		{"incomplete", [][][]byte{lines[:3], lines[5:]}, 1, "the records 4 to 5 are missing"},
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
	h := newHistory(t)
	key := checkpointKeyFile(t)
	journalDir := filepath.Join(h.Dir, "journal")
	older := filepath.Join(t.TempDir(), "older")
	historytest.Check(t, os.CopyFS(older, os.DirFS(journalDir)))
	h.Match()
	h.Rest()
	historytest.Check(t, os.RemoveAll(journalDir))
	historytest.Check(t, os.CopyFS(journalDir, os.DirFS(older)))
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
	} {
		code, stdout, errs := call(nil, append(strings.Fields(tt.args), "--state-root", h.Dir)...)
		if code != tt.code || !strings.Contains(stdout+errs, says) {
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
		if code, stdout, errs := call(nil, append(strings.Fields(args), "--journal", older)...); code != want || !strings.Contains(stdout+errs, bare) {
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
