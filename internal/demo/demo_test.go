// Package demo tests two scripts: run.sh demonstrates the main job from beginning to end,
// and fleet.sh a hub with five nodes.
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

// script runs a script and returns its output of both streams.
func script(t *testing.T, name, bin string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the demonstration is not run: sh is not installed")
	}
	cmd := exec.Command("sh", append([]string{name}, args...)...)
	cmd.Env = append(os.Environ(), "EDGED_BIN="+bin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestRunScript(t *testing.T) {
	bin := testbin.Binaries(t)
	dir := filepath.Join(t.TempDir(), "demo")
	for _, round := range []string{"first", "again"} {
		out, err := script(t, "run.sh", bin, dir)
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

func TestScriptsRefuse(t *testing.T) {
	for name, refusal := range map[string]string{"run.sh": "is not a demo", "fleet.sh": "is no demo of a fleet"} {
		t.Run(name+": no binaries", func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "demo")
			out, err := script(t, name, t.TempDir(), dir)
			if err == nil || !strings.Contains(out, "edged is missing: run make build") {
				t.Errorf("%v\n%s", err, out)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("it made its folder nevertheless")
			}
		})
		t.Run(name+": somebody else's folder", func(t *testing.T) {
			dir, bin := t.TempDir(), t.TempDir()
			mine := filepath.Join(dir, "mine")
			for file, mode := range map[string]os.FileMode{
				mine: 0o644, filepath.Join(bin, "edged"): 0o755, filepath.Join(bin, "edgectl"): 0o755, filepath.Join(bin, "edgehub"): 0o755,
			} {
				if err := os.WriteFile(file, nil, mode); err != nil {
					t.Fatal(err)
				}
			}
			out, err := script(t, name, bin, dir)
			if err == nil || !strings.Contains(out, refusal) {
				t.Errorf("%v\n%s", err, out)
			}
			if _, err := os.Stat(mine); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestMakeDemo: the targets run these scripts.
func TestMakeDemo(t *testing.T) {
	data, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for target, name := range map[string]string{"demo": "run.sh", "demo-fleet": "fleet.sh"} {
		_, recipe, found := strings.Cut(string(data), "\n"+target+": build")
		recipe, _, _ = strings.Cut(recipe, "\n\n")
		if !found || !strings.Contains(recipe, "internal/demo/"+name) {
			t.Errorf("make %s runs something else:%s", target, recipe)
		}
	}
}
