// Package testbin builds the binaries that tests run as processes.
package testbin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// ErrNoGo: there is no go command to build with.
var ErrNoGo = errors.New("the binaries cannot be built: go is not installed; set EDGED_BIN to a folder that holds them")

// Build builds edged, edgectl and more of this checkout in dir, static as in make build, and
// returns the folder that holds them: dir, or $EDGED_BIN if that is set. The error is ErrNoGo,
// or holds the output of the go command.
func Build(dir string, more ...string) (string, error) {
	if bin := os.Getenv("EDGED_BIN"); bin != "" {
		return bin, nil
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", ErrNoGo
	}
	for _, name := range append([]string{"edged", "edgectl"}, more...) {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(dir, name),
			"github.com/autonomyops/edged/cmd/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return dir, nil
}

// Binaries calls Build with a folder of the test's own and returns the result. Without a go
// command the test is skipped.
func Binaries(t testing.TB, more ...string) string {
	t.Helper()
	bin, err := Build(t.TempDir(), more...)
	if errors.Is(err, ErrNoGo) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return bin
}
