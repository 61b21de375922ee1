package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWriteCheckpoint runs the script of edged-checkpoint.service with a
// stand-in for edgectl.
func TestWriteCheckpoint(t *testing.T) {
	const note = "edged/0\n42\nroot\n\nsignature\n"
	tests := []struct {
		name, edgectl string
		dir           bool
		ok            bool
		left          []string // in the checkpoint directory
		says          string
	}{
		{"written under its size", "printf '" + strings.ReplaceAll(note, "\n", `\n`) + "'", true, true, []string{"42.checkpoint"}, ""},
		{"edgectl fails half-way", "printf 'edged/0\\n42\\n'; exit 2", true, false, nil, ""},
		{"no checkpoint", "echo usage", true, false, nil, "not a number of records"},
		{"a name instead of a size", "printf 'a\\n../../x\\n'", true, false, nil, "not a number of records"},
		{"no directory", "exit 0", false, false, nil, "is not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tmp := t.TempDir()
			stub, dir := filepath.Join(tmp, "edgectl"), filepath.Join(tmp, "out")
			script := "#!/bin/sh\n[ \"$*\" = 'journal checkpoint' ] || exit 9\n" + tt.edgectl + "\n"
			if err := os.WriteFile(stub, []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			if tt.dir {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("sh", "systemd/write-checkpoint")
			cmd.Env = append(os.Environ(), "EDGECTL="+stub, "EDGE_CHECKPOINT_DIR="+dir)
			out, err := cmd.CombinedOutput()
			if (err == nil) != tt.ok || !strings.Contains(string(out), tt.says) {
				t.Fatalf("err %v, said %q", err, out)
			}
			var left []string
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				left = append(left, e.Name())
			}
			if !slices.Equal(left, tt.left) {
				t.Errorf("left %q, want %q", left, tt.left)
			}
			if tt.ok {
				if got, err := os.ReadFile(filepath.Join(dir, tt.left[0])); err != nil || string(got) != note {
					t.Errorf("holds %q (%v)", got, err)
				}
			}
		})
	}
}
