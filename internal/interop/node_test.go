package interop

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// node is a scratch folder with a node in it, and the binaries under test.
type node struct {
	t     testing.TB
	dir   string // the scratch folder
	state string // the state root
	env   []string
}

// newNode lays out a node with `edgectl init --demo`. Tools that are named
// must be installed; where EDGED_INTEROP=1 a missing one fails the test.
func newNode(t testing.TB, tools ...string) *node {
	t.Helper()
	bin := os.Getenv("EDGED_BIN")
	if bin == "" {
		t.Skip("runs under make interop (EDGED_BIN names the folder of edged and edgectl)")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("EDGED_INTEROP") == "1" {
				t.Fatalf("%s is not installed", tool)
			}
			t.Skipf("%s is not installed", tool)
		}
	}
	// Not below /tmp: that may be a tmpfs, which the gate refuses.
	dir, err := os.MkdirTemp("/var/tmp", "edged-interop-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &node{t: t, dir: dir, state: filepath.Join(dir, "state")}
	n.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "DIR="+n.dir, "STATE="+n.state,
		"EDGE_CONFIG="+n.state+"/bootstrap/config.yaml", "EDGE_STATE_ROOT="+n.state, "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")
	n.sh("edgectl init $STATE --demo")
	return n
}

// run runs a shell script in the scratch folder and returns both outputs and
// the exit code.
func (n *node) run(script string) (stdout, stderr string, exit int) {
	n.t.Helper()
	cmd := exec.Command("bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Env, cmd.Dir = n.env, n.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		return out.String(), errs.String(), failed.ExitCode()
	case err != nil:
		n.t.Fatal(err)
	}
	return out.String(), errs.String(), 0
}

// sh runs a script that must succeed and returns its trimmed standard output.
func (n *node) sh(script string) string {
	n.t.Helper()
	out, errs, exit := n.run(script)
	if exit != 0 {
		n.t.Fatalf("%s\nexit status %d\n%s%s", script, exit, out, errs)
	}
	return strings.TrimSpace(out)
}

// boot runs the gate and expects exit 0.
func (n *node) boot() { n.t.Helper(); n.sh("edged precheck") }
