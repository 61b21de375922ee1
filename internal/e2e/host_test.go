package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// host is a scratch folder with a node in it, and the binaries under test.
type host struct {
	t     *testing.T
	dir   string
	state string
	env   []string
}

// newHost lays out a node with `edgectl init --demo` in a folder of its own.
func newHost(t *testing.T, tools ...string) *host {
	t.Helper()
	h := bare(t, tools...)
	h.sh("edgectl init $STATE --demo")
	return h
}

// bare is a host whose state root does not exist yet.
func bare(t *testing.T, tools ...string) *host {
	t.Helper()
	if os.Getenv("EDGED_E2E") != "1" {
		t.Skip("runs under make e2e (EDGED_E2E=1)")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: mounts, loop devices, namespaces")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	bin := os.Getenv("EDGED_BIN")
	if _, err := os.Stat(filepath.Join(bin, "edged")); err != nil {
		t.Fatalf("EDGED_BIN does not name a folder with edged and edgectl: %v", err)
	}
	// Not below /tmp by default: that may be a tmpfs, which the gate refuses.
	dir, err := os.MkdirTemp("/var/tmp", "edged-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h := &host{t: t, dir: dir, state: filepath.Join(dir, "state")}
	h.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "DIR="+h.dir, "STATE="+h.state,
		"EDGE_CONFIG="+h.state+"/bootstrap/config.yaml", "EDGE_STATE_ROOT="+h.state, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")
	return h
}

// run runs a shell script and returns both outputs and the exit code.
func (h *host) run(script string) (stdout, stderr string, exit int) {
	h.t.Helper()
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Env, cmd.Dir = h.env, h.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return out.String(), errs.String(), failed.ExitCode()
	case err != nil:
		h.t.Fatal(err)
	}
	return out.String(), errs.String(), 0
}

// sh runs a script that must succeed and returns its trimmed standard output.
func (h *host) sh(script string) string {
	h.t.Helper()
	out, errs, exit := h.run(script)
	if exit != 0 {
		h.t.Fatalf("%s\nexit %d\n%s%s", script, exit, out, errs)
	}
	return strings.TrimSpace(out)
}

// boot runs the gate through a wrapper ("" for none) and returns its log.
func (h *host) boot(wrapper string, want int) string {
	h.t.Helper()
	_, errs, exit := h.run(wrapper + " edged precheck")
	if exit != want {
		h.t.Fatalf("%s edged precheck: exit %d, want %d\n%s", wrapper, exit, want, errs)
	}
	return errs
}

// contains requires each of the parts.
func (h *host) contains(text string, parts ...string) {
	h.t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			h.t.Errorf("no %q in:\n%s", p, text)
		}
	}
}

func (h *host) equal(what, got, want string) {
	h.t.Helper()
	if got != want {
		h.t.Errorf("%s: %q, want %q", what, got, want)
	}
}
