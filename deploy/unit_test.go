package deploy

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unit is a unit file: section → key → values, in order. An empty value
// clears those before it, as systemd has it for lists.
type unit map[string]map[string][]string

func parseUnit(data []byte) (unit, error) {
	u := unit{}
	section := ""
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
			if u[section] == nil {
				u[section] = map[string][]string{}
			}
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				return nil, fmt.Errorf("line %d: %q is no assignment in a section", n, line)
			}
			u[section][key] = append(u[section][key], value)
		}
	}
	return u, lines.Err()
}

// unitFile returns the path of a unit: systemd/ has those of a node, hub/ that of a hub.
func unitFile(name string) string {
	if strings.HasPrefix(name, "edgehub") {
		return filepath.Join("hub", name)
	}
	return filepath.Join("systemd", name)
}

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	data, err := os.ReadFile(unitFile(name))
	if err != nil {
		t.Fatal(err)
	}
	u, err := parseUnit(data)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return u
}

// goodBoot is the drop-in by which a boot counts as good.
const goodBoot = "boot-complete.target.d/50-edged.conf"

// What the units promise, whatever systemd is installed here.
func TestUnitsSay(t *testing.T) {
	for _, tt := range []struct{ unit, section, key, value string }{
		{"edged-precheck.service", "Service", "Type", "oneshot"},
		{"edged-precheck.service", "Service", "RemainAfterExit", "yes"},
		{"edged-precheck.service", "Service", "RuntimeDirectory", "edged"},
		{"edged-precheck.service", "Service", "RuntimeDirectoryPreserve", "no"},
		{"edged-precheck.service", "Service", "ExecStart", "/usr/bin/edged precheck --ready-file /run/edged/passed"},
		{"edged-precheck.service", "Service", "Environment", "EDGE_CONFIG=/etc/edged/config.yaml"},
		{"edged-precheck.service", "Service", "ProtectSystem", "strict"},
		{"edged-precheck.service", "Service", "ReadWritePaths", "-/persist/edge"},
		{"edged-precheck.service", "Service", "RestrictAddressFamilies", "AF_UNIX"}, // the journal's socket
		{"edged-precheck.service", "Unit", "Before", "edged.service"},
		{"edged-precheck.service", "Unit", "RequiresMountsFor", "/persist/edge"},
		{"edged-precheck.service", "Install", "WantedBy", "multi-user.target"},
		{"edged.service", "Unit", "Requires", "edged-precheck.service"},
		{"edged.service", "Unit", "After", "edged-precheck.service"},
		{"edged.service", "Unit", "AssertPathExists", "/run/edged/passed"},
		{goodBoot, "Unit", "Requires", "edged-precheck.service"},
		{goodBoot, "Unit", "After", "edged-precheck.service"},
		{goodBoot, "Unit", "AssertPathExists", "/run/edged/passed"},
		{"edged-scrub.service", "Service", "ExecStart", "/usr/bin/edgectl journal verify --deep"},
		{"edged-scrub.timer", "Timer", "OnCalendar", "weekly"},
		{"edged-scrub.timer", "Install", "WantedBy", "timers.target"},
		{"edged-checkpoint.service", "Service", "ExecStart", "/usr/libexec/edged/write-checkpoint"},
		{"edged-ship.service", "Service", "ExecStart", "/usr/bin/edgectl ship"},
		{"edged-ship.service", "Service", "SuccessExitStatus", "2"}, // a witness that is away is no failure of the node
		{"edged-ship.service", "Unit", "ConditionPathExists", "/etc/edged/ship.yaml"},
		{"edged-ship.timer", "Timer", "OnBootSec", "1min"},
		{"edged-ship.timer", "Timer", "OnCalendar", "daily"},
		{"edged-ship.timer", "Install", "WantedBy", "timers.target"},
		{"edged-checkpoint.timer", "Install", "WantedBy", "timers.target"},
		{"edgehub.service", "Unit", "ConditionPathExists", "/etc/edgehub/hub.key"}, // not configured is no failure
		{"edgehub.service", "Service", "User", "edgehub"},
		{"edgehub.service", "Service", "StateDirectory", "edgehub"},
		{"edgehub.service", "Service", "Restart", "on-failure"},
		{"edgehub.service", "Service", "MemoryMax", "256M"},
		{"edgehub.service", "Service", "ProtectSystem", "strict"},
		{"edgehub.service", "Service", "CapabilityBoundingSet", ""},
		{"edgehub.service", "Service", "LoadCredential", "hub.key:/etc/edgehub/hub.key"},
		{"edgehub.service", "Service", "LoadCredential", "hub-key.pem:/etc/edgehub/hub-key.pem"},
		{"edgehub.service", "Service", "LoadCredential", "tokens:/etc/edgehub/tokens"},
		{"edgehub.service", "Install", "WantedBy", "multi-user.target"},
	} {
		if got := readUnit(t, tt.unit)[tt.section][tt.key]; !slices.Contains(got, tt.value) {
			t.Errorf("%s: [%s] %s=%s is missing, found %q", tt.unit, tt.section, tt.key, tt.value, got)
		}
	}
}

// What the units must not say.
func TestUnitsDoNotSay(t *testing.T) {
	for _, tt := range []struct{ unit, section, key, reason string }{
		{"edged.service", "Service", "RuntimeDirectory", "the pass would go with the daemon"},
		{"edged.service", "Unit", "Wants", "the gate is required"},
		{"edged-precheck.service", "Service", "Restart", "the next boot tries again, and counts"},
		{"edged-precheck.service", "Service", "User", "files of several users are read and replaced"},
		{"edged-precheck.service", "Service", "ProcSubset", "the boot id would be out of sight"},
		{"edged-precheck.service", "Unit", "ConditionPathExists", "a gate that is skipped is no gate"},
		{"edged-ship.service", "Unit", "Requires", "it runs however the gate ended"},
		{"edged-scrub.service", "Service", "ReadWritePaths", "a scrub looks and touches nothing"},
		{"edgehub.service", "Service", "ReadWritePaths", "its store is its state directory"},
		{"edgehub.service", "Service", "DynamicUser", "an operator must be able to change the store under the hub's user"},
	} {
		if got, ok := readUnit(t, tt.unit)[tt.section][tt.key]; ok {
			t.Errorf("%s: [%s] has %s=%q, but %s", tt.unit, tt.section, tt.key, got, tt.reason)
		}
	}
}

// The pass that the gate writes is the one that the daemon and a good boot ask for, in the
// directory that systemd makes for the gate.
func TestPassIsOnePath(t *testing.T) {
	gate := readUnit(t, "edged-precheck.service")
	_, pass, ok := strings.Cut(gate["Service"]["ExecStart"][0], "--ready-file ")
	for _, name := range []string{"edged.service", goodBoot} {
		if asks := readUnit(t, name)["Unit"]["AssertPathExists"]; !ok || !slices.Equal(asks, []string{pass}) {
			t.Errorf("the gate writes %q, %s asks for %q", pass, name, asks)
		}
	}
	if dir := "/run/" + gate["Service"]["RuntimeDirectory"][0]; filepath.Dir(pass) != dir {
		t.Errorf("%s is not in %s", pass, dir)
	}
}

func TestPresetNamesOurUnits(t *testing.T) {
	data, err := os.ReadFile("systemd/80-edged.preset")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "enable "); ok {
			if len(readUnit(t, name)["Install"]) == 0 {
				t.Errorf("%s is enabled by the preset and has no [Install]", name)
			}
		}
	}
	if !strings.Contains(string(data), "enable edged-precheck.service\n") {
		t.Error("the preset does not enable the gate")
	}
}

func TestParseUnit(t *testing.T) {
	u, err := parseUnit([]byte("# c\n[A]\nk=1\nk=2=3\n\n[B]\n;c\nx=\n"))
	if err != nil || !slices.Equal(u["A"]["k"], []string{"1", "2=3"}) || !slices.Equal(u["B"]["x"], []string{""}) {
		t.Errorf("got %v, %v", u, err)
	}
	for _, bad := range []string{"k=1\n", "[A]\nk\n"} {
		if _, err := parseUnit([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
