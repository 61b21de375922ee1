// Package hosttest provides a node in a scratch folder on the host's own disk, and runs shell
// scripts there with the binaries under test.
package hosttest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Host is a scratch folder with the state root of a node in it.
type Host struct {
	T     testing.TB
	Dir   string   // the scratch folder
	State string   // the state root; New does not create it
	Env   []string // of every script: PATH begins with the binaries' folder, DIR, STATE and the EDGE_ variables are set
}

// New makes the scratch folder, which is removed after the test. bin is the
// folder that holds edged and edgectl.
func New(t testing.TB, bin string) *Host {
	t.Helper()
	if _, err := os.Stat(filepath.Join(bin, "edged")); err != nil {
		t.Fatalf("EDGED_BIN does not name a folder with edged and edgectl: %v", err)
	}
	// Not in /tmp, which may be a tmpfs: the gate refuses that.
	dir, err := os.MkdirTemp("/var/tmp", "edged-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &Host{T: t, Dir: dir, State: filepath.Join(dir, "state")}
	h.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "DIR="+h.Dir, "STATE="+h.State,
		"EDGE_CONFIG="+h.State+"/bootstrap/config.yaml", "EDGE_STATE_ROOT="+h.State, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")
	return h
}

// Run runs a bash script in the scratch folder and returns both outputs and the
// exit status.
func (h *Host) Run(script string) (stdout, stderr string, exit int) {
	h.T.Helper()
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Env, cmd.Dir = h.Env, h.Dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return out.String(), errs.String(), failed.ExitCode()
	case err != nil:
		h.T.Fatal(err)
	}
	return out.String(), errs.String(), 0
}

// Sh runs a script that must succeed and returns its trimmed standard output.
func (h *Host) Sh(script string) string {
	h.T.Helper()
	out, errs, exit := h.Run(script)
	if exit != 0 {
		h.T.Fatalf("%s\nexit status %d\n%s%s", script, exit, out, errs)
	}
	return strings.TrimSpace(out)
}
