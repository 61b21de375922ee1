package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/evidence/evidencetest"
)

// Lines that are there twice lose no record in any format; a torn, reordered or
// incomplete export is exit 1, and nothing is signed of it.
func TestDamagedExports(t *testing.T) {
	h := history(t)
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.jsonl")
	if code, _, errs := call(nil, "journal", "export", "--out", whole, "--state-root", h.Dir); code != 0 {
		t.Fatal(errs)
	}
	node := filepath.Join(dir, "node")
	if code, _, errs := call(nil, "init", node, "--node", "n"); code != 0 {
		t.Fatal(errs)
	}
	key := filepath.Join(node, "identity/journal-sign.key")
	data, err := os.ReadFile(whole)
	evidencetest.Check(t, err)
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
			evidencetest.Check(t, os.WriteFile(path, bytes.Join(slices.Concat(tt.parts...), nil), 0o600))
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
