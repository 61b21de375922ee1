// Package demo tests run.sh, a script that demonstrates the main job from beginning to end.
package demo

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/testbin"
)

// script runs run.sh and returns its output of both streams.
func script(t *testing.T, bin string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the demonstration is not run: sh is not installed")
	}
	cmd := exec.Command("sh", append([]string{"run.sh"}, args...)...)
	cmd.Env = append(os.Environ(), "EDGED_BIN="+bin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRunScript(t *testing.T) {
	bin := testbin.Binaries(t)
	dir := filepath.Join(t.TempDir(), "demo")
	for _, round := range []string{"first", "again"} {
		out, err := script(t, bin, dir)
		if err != nil {
			t.Fatalf("%s: %v\n%s", round, err, out)
		}
		last := 0
		for _, want := range []string{
			"edge.os.fingerprint_initialized", "edge.os.update_detected", "edge.os.reconstruction_started",
			"edge.os.reconstruction_completed", "EpochRotated", "intact", "verified deeply",
		} {
			at := strings.Index(out[last:], want)
			if at < 0 {
				t.Fatalf("%s: %q is not printed, or not in order:\n%s", round, want, out)
			}
			last += at
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s: colours without a terminal:\n%q", round, out)
		}
	}
	left(t, dir, bin)
}

// left checks the files that the demonstration leaves.
func left(t *testing.T, dir, bin string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "state/bootstrap/os_fingerprint.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		BootEpoch int `json:"boot_epoch"`
	}
	if err := json.Unmarshal(data, &file); err != nil || file.BootEpoch != 1 {
		t.Errorf("boot epoch %d, %v, want 1", file.BootEpoch, err)
	}
	want, err := os.ReadFile(filepath.Join(bin, "edged"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "state/runtime/edged"))
	if err != nil || string(got) != string(want) {
		t.Errorf("runtime/edged is not the deployed file: %v", err)
	}
}

func TestRunScriptRefuses(t *testing.T) {
	t.Run("no binaries", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "demo")
		out, err := script(t, t.TempDir(), dir)
		if err == nil || !strings.Contains(out, "edged is missing: run make build") {
			t.Errorf("%v\n%s", err, out)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Error("it made its folder nevertheless")
		}
	})
	t.Run("somebody else's folder", func(t *testing.T) {
		dir, bin := t.TempDir(), t.TempDir()
		mine := filepath.Join(dir, "mine")
		for name, mode := range map[string]os.FileMode{mine: 0o644, filepath.Join(bin, "edged"): 0o755, filepath.Join(bin, "edgectl"): 0o755} {
			if err := os.WriteFile(name, nil, mode); err != nil {
				t.Fatal(err)
			}
		}
		out, err := script(t, bin, dir)
		if err == nil || !strings.Contains(out, "is not a demo") {
			t.Errorf("%v\n%s", err, out)
		}
		if _, err := os.Stat(mine); err != nil {
			t.Error(err)
		}
	})
}

// TestMakeDemo: the target runs this script.
func TestMakeDemo(t *testing.T) {
	data, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, found := strings.Cut(string(data), "\ndemo: build")
	recipe, _, _ = strings.Cut(recipe, "\n\n")
	if !found || !strings.Contains(recipe, "internal/demo/run.sh") {
		t.Errorf("make demo runs something else:%s", recipe)
	}
}
