package deploy

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	journalID = "0b6ec6ba-2ce2-4a1c-b1a4-53f4a5d4f7a1"
	note42    = "edged/" + journalID + "\n42\nroot\n\nsignature\n"
	kept42    = journalID + ".42.checkpoint"
)

// TestWriteCheckpoint runs the script of edged-checkpoint.service with a
// stand-in for edgectl.
func TestWriteCheckpoint(t *testing.T) {
	printed := "printf '" + strings.ReplaceAll(note42, "\n", `\n`) + "'"
	tests := []struct {
		name, edgectl string
		dir           bool
		exit          int
		left          []string // in the checkpoint directory
		says          string
	}{
		{"written under journal and size", printed, true, 0, []string{kept42}, ""},
		{"edgectl fails half-way", "printf 'edged/0\\n42\\n'; exit 2", true, 2, nil, ""},
		{"edgectl says no", "exit 1", true, 1, nil, ""},
		{"no checkpoint", "echo usage", true, 2, nil, "not edged/ and a journal's id"},
		{"no size", "printf 'edged/0\\nx\\n'", true, 2, nil, "not a number of records"},
		{"a path instead of an id", "printf 'edged/../../x\\n1\\n'", true, 2, nil, "not edged/ and a journal's id"},
		{"a path instead of a size", "printf 'edged/0\\n../../x\\n'", true, 2, nil, "not a number of records"},
		{"no directory", "exit 0", false, 2, nil, "is not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			if tt.dir {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			exit, out := writeCheckpoint(t, dir, tt.edgectl)
			if exit != tt.exit || !strings.Contains(out, tt.says) {
				t.Fatalf("exit %d, said %q", exit, out)
			}
			if left := names(dir); !slices.Equal(left, tt.left) {
				t.Errorf("left %q, want %q", left, tt.left)
			}
			if tt.exit == 0 {
				holds(t, filepath.Join(dir, kept42), note42)
			}
		})
	}
}

// TestWriteCheckpointKeeps: no checkpoint is ever lost to a later one. The same
// again is no news; another root for the same records is evidence.
func TestWriteCheckpointKeeps(t *testing.T) {
	dir := t.TempDir()
	say := func(note string) string { return "printf '" + strings.ReplaceAll(note, "\n", `\n`) + "'" }
	steps := []struct {
		name, note string
		exit, left int
	}{
		{"first", note42, 0, 1},
		{"the same, signed by a new key", strings.Replace(note42, "signature", "other", 1), 0, 1},
		{"another journal of that size", strings.Replace(note42, journalID, "1"+journalID[1:], 1), 0, 2},
		{"rewritten", strings.Replace(note42, "root", "hash", 1), 1, 3},
	}
	for _, s := range steps {
		exit, out := writeCheckpoint(t, dir, say(s.note))
		if left := names(dir); exit != s.exit || len(left) != s.left {
			t.Errorf("%s: exit %d, left %q, said %q", s.name, exit, left, out)
		}
		holds(t, filepath.Join(dir, kept42), note42)
	}
}

// writeCheckpoint runs the script with a body for edgectl.
func writeCheckpoint(t *testing.T, dir, edgectl string) (exit int, said string) {
	t.Helper()
	stub := filepath.Join(t.TempDir(), "edgectl")
	script := "#!/bin/sh\n[ \"$*\" = 'journal checkpoint' ] || exit 9\n" + edgectl + "\n"
	if err := os.WriteFile(stub, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "systemd/write-checkpoint")
	cmd.Env = append(os.Environ(), "EDGECTL="+stub, "EDGE_CHECKPOINT_DIR="+dir)
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func names(dir string) []string {
	var left []string
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	return left
}

func holds(t *testing.T, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != want {
		t.Errorf("%s holds %q (%v)", name, got, err)
	}
}
