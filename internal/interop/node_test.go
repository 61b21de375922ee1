package interop

import (
	"os"
	"os/exec"
	"testing"

	"github.com/autonomyops/edged/internal/hosttest"
)

// node is a node on this machine.
type node struct{ *hosttest.Host }

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
	n := &node{hosttest.New(t, bin)}
	n.Sh("edgectl init $STATE --demo")
	return n
}

// boot runs the gate and expects exit 0.
func (n *node) boot() { n.T.Helper(); n.Sh("edged precheck") }
