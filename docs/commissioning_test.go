package docs_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const commissioning = "docs/commissioning.md"

// aFleet is what a reader of the commissioning page has: the files of their
// fleet, and a mounted partition. There is no systemd here: its word for
// starting the gate starts the gate.
const aFleet = `mkdir -p /persist
export EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1
systemctl() { [ "$*" = "restart edged-precheck.service" ] && edged precheck; }
openssl rand -hex 32 >fleet.salt
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj /CN=fleet -keyout ca.key -out ca.crt
printf '#!/bin/sh\n' >mission-runtime`

// TestCommissioningScript follows the page from its first step to its last. The
// node boots in silence then, and its history is whole.
func TestCommissioningScript(t *testing.T) {
	for _, tool := range []string{"openssl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("not followed: %s is not installed", tool)
		}
	}
	dir := t.TempDir()
	// The paths of a node, as far as the page writes to them.
	here := strings.NewReplacer("/persist", filepath.Join(dir, "persist"), "/etc/edged", filepath.Join(dir, "etc/edged"))
	var s typed
	commands := strings.Split(aFleet, "\n")
	for _, command := range append(commands, recipe(t, read(t, commissioning))...) {
		s.command(commissioning, 0, here.Replace(command))
	}
	s.command(commissioning, 0, here.Replace("edged precheck"))
	s.lines += "! stdout .\n"
	s.command(commissioning, 0, here.Replace("edgectl journal verify --deep && cat /persist/edge/epoch/current/evidence.json"))
	scripts := t.TempDir()
	s.write(t, scripts, "commissioning")
	runTyped(t, scripts, binaries(t), nil)
}
