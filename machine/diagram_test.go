package machine

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/looplab/fsm"
)

var redraw = flag.Bool("redraw", false, "draw the state diagram in ARCHITECTURE.md again")

// diagram draws the transition table as a Mermaid state diagram.
func diagram() (string, error) {
	return fsm.VisualizeForMermaidWithGraphType(newTable(PhaseNew), fsm.StateDiagram)
}

// The diagram in ARCHITECTURE.md shows the transition table.
func TestArchitectureShowsTheTable(t *testing.T) {
	const path, begin, end = "../ARCHITECTURE.md", "<!-- diagram:begin -->\n", "<!-- diagram:end -->"
	drawn, err := diagram()
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
	want := before + begin + "```mermaid\n" + strings.TrimSpace(drawn) + "\n```\n" + end + after
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
