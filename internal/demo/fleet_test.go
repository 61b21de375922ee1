package demo

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/testbin"
)

// TestFleetScript: the script ends, and the store that it leaves holds what it promised.
func TestFleetScript(t *testing.T) {
	bin := testbin.Binaries(t, "edgehub")
	dir := filepath.Join(t.TempDir(), "demo-fleet")
	for _, round := range []string{"first", "again"} {
		out, err := script(t, "fleet.sh", bin, dir)
		if err != nil {
			t.Fatalf("%s: %v\n%s", round, err, out)
		}
		if !strings.HasSuffix(strings.TrimSpace(out), "Ctrl+C ends the hub.") || !strings.Contains(out, "--open-enrolment\nand open http://127.0.0.1:8430/") {
			t.Errorf("%s: it does not say how to look at the page:\n%s", round, out)
		}
		if strings.Contains(out, "\x1b") {
			t.Errorf("%s: colours without a terminal:\n%q", round, out)
		}
	}
	out, err := exec.Command(filepath.Join(bin, "edgehub"), "status", "--json", "--store", filepath.Join(dir, "store")).Output()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("edgehub status: %v, want exit 1", err)
	}
	var fleet struct {
		Nodes []struct {
			Name, State string
			States      []string
		}
	}
	if err := json.Unmarshal(out, &fleet); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"depot-01": "flagged", "depot-02": "failing", "depot-03": "rolled_back", "depot-04": "rewritten", "depot-05": "cloned"}
	if len(fleet.Nodes) != len(want) {
		t.Errorf("%d nodes, want %d", len(fleet.Nodes), len(want))
	}
	for _, n := range fleet.Nodes {
		if n.State != want[n.Name] || !slices.Contains(n.States, "flagged") {
			t.Errorf("%s is %s, of %v; want %s, and flagged", n.Name, n.State, n.States, want[n.Name])
		}
	}
}
