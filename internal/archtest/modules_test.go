package archtest

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the list of modules linked into edged")

// TestModulesOfEdged pins the modules linked into edged: each runs code at every boot, before
// anything was verified. go.mod and go.sum pin the versions.
func TestModulesOfEdged(t *testing.T) {
	const golden = "testdata/edged.modules"
	var linked []string
	for _, p := range goList(t, "./cmd/edged") {
		if p.Module != nil && !p.Module.Main {
			linked = append(linked, p.Module.Path)
		}
	}
	slices.Sort(linked)
	linked = slices.Compact(linked)
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(linked, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	pinned := strings.Fields(string(data))
	if added, gone := without(linked, pinned), without(pinned, linked); len(added)+len(gone) > 0 {
		t.Errorf("%s lacks %v; edged does not link %v of it\n\treason: every boot pays for each module\n"+
			"\tif you want it, run go test -run %s ./internal/archtest -update, and give the reason in the commit", golden, added, gone, t.Name())
	}
}

// without returns the elements of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(m string) bool { return slices.Contains(b, m) })
}
