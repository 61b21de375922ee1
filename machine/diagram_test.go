package machine_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/autonomyops/edged/machine"
)

var redraw = flag.Bool("redraw", false, "draw the state diagram in ARCHITECTURE.md again")

// The diagram in ARCHITECTURE.md is the transition table's.
func TestArchitectureShowsTheTable(t *testing.T) {
	const path, begin, end = "../ARCHITECTURE.md", "<!-- diagram:begin -->\n", "<!-- diagram:end -->"
	diagram, err := machine.Diagram()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(page), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the diagram", path)
	}
	want := before + begin + "```mermaid\n" + strings.TrimSpace(diagram) + "\n```\n" + end + after
	if want == string(page) {
		return
	}
	if !*redraw {
		t.Fatalf("%s does not show the transition table; run `go test ./machine -run %s -redraw`", path, t.Name())
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
