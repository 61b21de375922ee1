package docs_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/autonomyops/edged/internal/testbin"
)

// build makes the binaries once for all tests of this run, when the first of
// them asks.
var build func() (string, error)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "edged-docs-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build = sync.OnceValues(func() (string, error) { return testbin.Build(dir, "edgehub") })
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// binaries is the folder of edged, edgectl and edgehub.
func binaries(t *testing.T) string {
	t.Helper()
	bin, err := build()
	if errors.Is(err, testbin.ErrNoGo) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
