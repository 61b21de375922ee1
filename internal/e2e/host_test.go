package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/hosttest"
)

// host is a node on this machine.
type host struct{ *hosttest.Host }

// newHost lays out a node with `edgectl init --demo` in a folder of its own.
func newHost(t *testing.T, tools ...string) *host {
	t.Helper()
	h := bare(t, tools...)
	h.Sh("edgectl init $STATE --demo")
	return h
}

// bare is a host whose state root does not exist yet.
func bare(t *testing.T, tools ...string) *host {
	t.Helper()
	if os.Getenv("EDGED_E2E") != "1" {
		t.Skip("runs under make e2e (EDGED_E2E=1)")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root: mounts, loop devices, namespaces")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	return &host{hosttest.New(t, os.Getenv("EDGED_BIN"))}
}

// boot runs the gate through a wrapper ("" for none) and returns its log.
func (h *host) boot(wrapper string, want int) string {
	h.T.Helper()
	_, errs, exit := h.Run(wrapper + " edged precheck")
	if exit != want {
		h.T.Fatalf("%s edged precheck: exit %d, want %d\n%s", wrapper, exit, want, errs)
	}
	return errs
}

// contains requires each of the parts.
func (h *host) contains(text string, parts ...string) {
	h.T.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			h.T.Errorf("no %q in:\n%s", p, text)
		}
	}
}

func (h *host) equal(what, got, want string) {
	h.T.Helper()
	if got != want {
		h.T.Errorf("%s: %q, want %q", what, got, want)
	}
}
