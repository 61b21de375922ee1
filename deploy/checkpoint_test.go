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
	printed := say(note42)
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
	steps := []struct {
		name, note string
		exit, left int
	}{
		{"first", note42, 0, 1},
		{"the same, signed by a new key", strings.Replace(note42, "signature", "other", 1), 0, 1},
		{"another journal of that size", strings.Replace(note42, journalID, "1"+journalID[1:], 1), 0, 2},
		{"rewritten", strings.Replace(note42, "root", "hash", 1), 1, 3},
		{"grown", strings.Replace(note42, "\n42\n", "\n100\n", 1), 0, 4},
	}
	for _, s := range steps {
		exit, out := writeCheckpoint(t, dir, say(s.note))
		if left := names(dir); exit != s.exit || len(left) != s.left {
			t.Errorf("%s: exit %d, left %q, said %q", s.name, exit, left, out)
		}
		holds(t, filepath.Join(dir, kept42), note42)
	}
}

// TestWriteCheckpointRolledBack: a journal that has fewer records than it had
// says so at each call, until it has outgrown them. What it was is kept.
func TestWriteCheckpointRolledBack(t *testing.T) {
	dir := t.TempDir()
	of := func(size string) string { return strings.Replace(note42, "\n42\n", "\n"+size+"\n", 1) }
	name := func(size string) string { return journalID + "." + size + ".checkpoint" }
	for _, file := range []string{"1" + journalID[1:] + ".99.checkpoint", name("x99"), name("99") + ".20260101T000000Z"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte("no size of this journal"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		size, says string
		exit       int
	}{
		{"42", "", 0},
		{"100", "", 0}, // not by the order of names
		{"42", "rolled back: it has 42 records, " + filepath.Join(dir, name("100")) + " was written when it had 100", 1},
		{"43", "rolled back: it has 43 records", 1}, // a size never seen before
		{"100", "", 0},
		{"101", "", 0},
	}
	for _, s := range steps {
		exit, out := writeCheckpoint(t, dir, say(of(s.size)))
		if exit != s.exit || !strings.Contains(out, s.says) || (s.exit == 0) != (out == "") {
			t.Errorf("%s records: exit %d, said %q", s.size, exit, out)
		}
		holds(t, filepath.Join(dir, name(s.size)), of(s.size)) // the evidence, too
	}
}

// TestWriteCheckpointDamaged: a kept file that is no checkpoint is called what
// it is, and not a sign that the journal was rewritten.
func TestWriteCheckpointDamaged(t *testing.T) {
	for name, damaged := range map[string]string{
		"emptied": "", "cut": note42[:20], "another size": strings.Replace(note42, "\n42\n", "\n41\n", 1), "zeros": "\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			kept := filepath.Join(dir, kept42)
			if err := os.WriteFile(kept, []byte(damaged), 0o644); err != nil {
				t.Fatal(err)
			}
			exit, out := writeCheckpoint(t, dir, say(note42))
			if exit != 1 || !strings.Contains(out, kept42+" is damaged") || strings.Contains(out, "was rewritten:") {
				t.Errorf("exit %d, said %q", exit, out)
			}
			holds(t, kept, damaged)
			left := names(dir)
			if len(left) != 2 {
				t.Fatalf("left %q", left)
			}
			holds(t, filepath.Join(dir, left[1]), note42)
		})
	}
	// Its name goes on telling how many records there were.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, journalID+".43.checkpoint"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if exit, out := writeCheckpoint(t, dir, say(note42)); exit != 1 || !strings.Contains(out, "rolled back") {
		t.Errorf("exit %d, said %q", exit, out)
	}
}

// say is a stand-in for edgectl that prints a note.
func say(note string) string { return "printf '" + strings.ReplaceAll(note, "\n", `\n`) + "'" }

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
