package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// updateVar makes TestModulesOfEdged write the golden file instead of
// comparing with it.
const updateVar = "EDGED_UPDATE_MODULES"

// The list of modules linked into edged is pinned: each one is code that runs
// at every boot before anything was verified, and start-up time. Versions are
// left to go.mod and go.sum, so that an upgrade is not reported twice.
func TestModulesOfEdged(t *testing.T) {
	golden := filepath.Join("testdata", "edged.modules")
	if _, err := os.Stat(filepath.Join(moduleRoot(t), "cmd", "edged")); err != nil {
		t.Skipf("no cmd/edged to list the modules of: %v", err)
	}
	var linked []string
	for _, arch := range architectures {
		for _, p := range goList(t, arch, "./cmd/edged") {
			if p.Module != nil && !p.Module.Main {
				linked = append(linked, p.Module.Path)
			}
		}
	}
	slices.Sort(linked)
	linked = slices.Compact(linked)

	if os.Getenv(updateVar) != "" {
		if err := os.WriteFile(golden, []byte(strings.Join(linked, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatalf("%v\nto write it: %s=1 go test -run TestModulesOfEdged ./internal/archtest", err, updateVar)
	}
	added, gone := diff(strings.Fields(string(data)), linked)
	if len(added)+len(gone) > 0 {
		t.Errorf("the modules linked into edged are not those of internal/archtest/%s\n"+
			"\tadded: %v\n\tgone:  %v\n"+
			"\treason: every module linked into edged runs at each boot, before anything is verified\n"+
			"\tif it is wanted: %s=1 go test -run TestModulesOfEdged ./internal/archtest, and say why in the commit",
			golden, added, gone, updateVar)
	}
}

// diff lists what is only in b, and what is only in a.
func diff(a, b []string) (added, gone []string) {
	for _, x := range b {
		if !slices.Contains(a, x) {
			added = append(added, x)
		}
	}
	for _, x := range a {
		if !slices.Contains(b, x) {
			gone = append(gone, x)
		}
	}
	return added, gone
}

func TestDiff(t *testing.T) {
	added, gone := diff([]string{"a", "b"}, []string{"b", "c"})
	if !slices.Equal(added, []string{"c"}) || !slices.Equal(gone, []string{"a"}) {
		t.Errorf("added %v, gone %v", added, gone)
	}
}
