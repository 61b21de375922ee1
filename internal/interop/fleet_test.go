package interop

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// demoFleet makes the store of make demo-fleet in the folder fleet.
func (n *node) demoFleet() {
	n.T.Helper()
	script, err := filepath.Abs("../demo/fleet.sh")
	if err != nil {
		n.T.Fatal(err)
	}
	n.Sh("EDGED_BIN=" + os.Getenv("EDGED_BIN") + " sh " + script + " fleet")
}

// TestFleetInDuckDB: the questions of the hub's guide, asked of the export of the
// demonstration, have the answers that the demonstration made.
func TestFleetInDuckDB(t *testing.T) {
	n := newNode(t, "node", "npm")
	n.demoFleet()
	n.Sh("edgehub export --store fleet/store --out parquet")
	guide, err := os.ReadFile("../../docs/hub.md")
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, m := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(guide), -1) {
		asked = append(asked, strings.ReplaceAll(m[1], "'fleet/", "'parquet/"))
	}
	if len(asked) != 5 {
		t.Fatalf("the guide asks %d questions", len(asked))
	}
	day := strings.TrimSpace(n.Sh("date -u +%F"))
	got := n.duckdb(map[string]string{"kernels": asked[0], "epochs": asked[1], "failures": asked[2], "old": asked[3], "whole": asked[4]})
	kernels := flat(got["kernels"], "journals")
	// Without setarch the demonstration has one kernel.
	if !slices.Equal(kernels, []string{"2", "3"}) && !slices.Equal(kernels, []string{"5"}) {
		t.Errorf("kernels: %v", got["kernels"])
	}
	for _, tt := range []struct {
		question string
		members  []string
		want     []string
	}{
		{"epochs", []string{"day", "epochs"}, []string{day + "/1"}},
		{"failures", []string{"stage", "exit_code", "boots", "nodes"}, []string{"manifest/5/1/1"}},
		{"old", []string{"node"}, nil},
		{"whole", []string{"node", "records", "whole"}, []string{"depot-01/8/true", "depot-02/6/true", "depot-03/4/true", "depot-04/4/true", "depot-05/5/true"}},
	} {
		if rows := flat(got[tt.question], tt.members...); !slices.Equal(rows, tt.want) {
			t.Errorf("%s: DuckDB says %q, want %q", tt.question, rows, tt.want)
		}
	}
	// The number of records is the size of each signed checkpoint.
	for _, row := range flat(got["whole"], "journal", "records") {
		id, size, _ := strings.Cut(row, "/")
		if signed := strings.TrimSpace(n.Sh("ls fleet/store/checkpoints/" + id + " | sort -n | tail -n 1")); signed != size {
			t.Errorf("journal %s has %s records in the export, and %s were signed", id, size, signed)
		}
	}
}
