package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/nodeinit"
	"github.com/autonomyops/edged/internal/stateroot"
)

// node returns a demonstration node before its first boot, and a system without
// units.
type node struct {
	t            *testing.T
	root, system string
	now          time.Time
}

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t, root: filepath.Join(t.TempDir(), "state"), system: t.TempDir(), now: time.Now()}
	if _, err := nodeinit.Init(t.Context(), n.root, nodeinit.Options{Node: "n", Demo: true}); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *node) write(dir, name, text string) {
	n.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// examine examines a node, and requires these codes of its findings.
func (n *node) examine(codes string) *Report {
	n.t.Helper()
	host := gate.LinuxHost()
	host.Now = func() time.Time { return n.now }
	host.Getenv = func(name string) string {
		if name == stateroot.EnvSkipMountCheck {
			return "1"
		}
		return ""
	}
	rep, err := Examine(n.t.Context(), Options{Config: filepath.Join(n.root, stateroot.NodeConfig), Host: host, System: n.system, Journal: true})
	if err != nil {
		n.t.Fatal(err)
	}
	var found []string
	for _, f := range rep.Findings {
		found = append(found, f.Code)
	}
	if got := strings.Join(found, " "); got != codes {
		n.t.Errorf("found %q, want %q: %+v", got, codes, rep.Findings)
	}
	return rep
}

// TestLimits: a certificate, space or tail near its end is a warning before it is an
// error.
func TestLimits(t *testing.T) {
	n := newNode(t)
	config := filepath.Join(n.root, stateroot.NodeConfig)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		left  int // days of the certificate, which is valid for 365
		codes string
		ok    bool
	}{
		{15, "", true},
		{13, CodeCertificate, true},
		{6, "certificate_check_failed", false},
		{-1, "certificate_check_failed", false},
	} {
		// Without the CA's key: the gate would re-issue it.
		n.write(n.root, stateroot.NodeConfig, strings.Replace(string(text), "  ca_key_file:", "  # ca_key_file:", 1))
		n.now = time.Now().Add(time.Duration(365-tt.left)*24*time.Hour - time.Hour)
		rep := n.examine(tt.codes)
		if rep.OK != tt.ok || rep.Boot.Passes != tt.ok || rep.Leaf == nil || rep.Leaf.Days != tt.left && tt.left >= 0 {
			t.Errorf("%d days left: ok %t, %+v", tt.left, rep.OK, rep.Leaf)
		}
	}
	n.now = time.Now().AddDate(9, 11, 20)
	n.write(n.root, stateroot.NodeConfig, string(text))
	n.examine(CodeCA)
}

// TestUnit: the flags of the unit are examined, and whether systemd starts it.
func TestUnit(t *testing.T) {
	const unit = "usr/lib/systemd/system/" + gateUnit
	n := newNode(t)
	n.examine("") // no systemd here
	n.write(n.system, "run/systemd/system/x", "")
	n.examine("") // a demonstration: its mounts are not checked
	units := func(want string) {
		t.Helper()
		if code := n.examineUnits(); code != want {
			t.Errorf("found %q, want %q", code, want)
		}
	}
	units(CodeUnitMissing)
	n.write(n.system, unit, "[Service]\nExecStart=/usr/bin/edged precheck\n")
	units(CodeUnitDisabled)
	n.write(n.system, "etc/systemd/system/multi-user.target.wants/"+daemonUnit, "")
	units(CodeUnitDisabled)
	n.write(n.system, "etc/systemd/system/multi-user.target.wants/"+gateUnit, "")
	units("")
	if err := os.Symlink("/dev/null", filepath.Join(n.system, "etc/systemd/system", gateUnit)); err != nil {
		t.Fatal(err)
	}
	units(CodeUnitMasked)
	if err := os.Remove(filepath.Join(n.system, "etc/systemd/system", gateUnit)); err != nil {
		t.Fatal(err)
	}

	run := filepath.Join(n.system, "run/edged")
	start := "[Service]\nRuntimeDirectory=edged\nExecStart=/usr/bin/edged precheck \\\n  --ready-file " + run + "/passed\n"
	n.write(n.system, unit, start)
	n.examine("") // systemd makes the directory
	n.write(n.system, unit, strings.Replace(start, "RuntimeDirectory=edged\n", "", 1))
	if rep := n.examine("ready_file_cannot_be_written"); rep.Findings[0].Command != "mkdir -p "+run {
		t.Errorf("%+v", rep.Findings)
	}
	n.write(n.system, "run/edged/passed", "mission data")
	if rep := n.examine("ready_file_cannot_be_removed"); rep.Findings[0].Command != "mv "+run+"/passed "+run+"/passed.aside" {
		t.Errorf("%+v", rep.Findings)
	}
	n.write(n.system, "etc/systemd/system/"+gateUnit+".d/ready.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/edged precheck --ready-file="+run+"/gate.prom\n")
	n.write(n.root, stateroot.NodeConfig, strings.Replace(n.config(), `metrics_file: ""`, "metrics_file: "+run+"/gate.prom", 1))
	n.examine("ready_file_is_the_metrics_file")
}

func (n *node) config() string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.root, stateroot.NodeConfig))
	if err != nil {
		n.t.Fatal(err)
	}
	return string(text)
}

// examineUnits returns the code about units. The state root is a part of /, which
// is another finding.
func (n *node) examineUnits() (code string) {
	n.t.Helper()
	host := gate.LinuxHost()
	host.Getenv = func(string) string { return "" }
	rep, err := Examine(context.Background(), Options{Config: filepath.Join(n.root, stateroot.NodeConfig), Host: host, System: n.system})
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range rep.Findings {
		if strings.HasPrefix(f.Code, "unit_") {
			code += f.Code
			if (f.Severity == Error) != (f.Ends == EndsBoot) || f.Command == "" {
				n.t.Errorf("%+v", f)
			}
		}
	}
	return code
}

// TestPrint: the screen has what an operator needs, and commands are not folded.
func TestPrint(t *testing.T) {
	n := newNode(t)
	n.write(n.root, stateroot.ManifestSignature, "short")
	rep := n.examine("manifest_signature_has_wrong_size")
	var b strings.Builder
	if err := rep.Print(&b); err != nil {
		t.Fatal(err)
	}
	command := "edgectl manifest sign --key SIGNING_KEY --state-root " + n.root
	for _, want := range []string{"error               manifest_signature_has_wrong_size\n", "ends              the next boot\n", "command           " + command + "\n",
		"next boot           FAILS, exit code 5\n", "next reconstruction FAILS, exit code 5\n", "verdict             1 error, 0 warnings\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 81 && !strings.Contains(line, "command ") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestSpace: a value that the filesystem does not report is not known.
func TestSpace(t *testing.T) {
	if got := (&Space{}).String(); got != "unknown free, unknown inodes free" {
		t.Error(got)
	}
	if got := fmt.Sprint((*Space)(nil), (*Validity)(nil)); got != "unknown unknown" {
		t.Error(got)
	}
}
