package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/gate"
)

func TestNoConfig(t *testing.T) {
	got := command(nil, "precheck")
	if got.code != gate.ExitConfig || got.stdout != "" || !strings.Contains(got.stderr, `msg="precheck: no config given"`) ||
		!strings.Contains(got.stderr, "EDGE_CONFIG") {
		t.Errorf("%+v", got)
	}
}

// TestConfigOrder: --config counts before and after the command, and more than
// EDGE_CONFIG.
func TestConfigOrder(t *testing.T) {
	n := newNode(t, "info")
	for i, args := range [][]string{
		{"--config", n.config, "precheck"},
		{"precheck", "--config", n.config},
		{"precheck", "--config=" + n.config},
	} {
		got := n.edged(args...)
		if first := i == 0; got.code != 0 || strings.Contains(got.stderr, "edge.os.fingerprint_initialized") != first {
			t.Fatalf("%v: %+v", args, got)
		}
	}
	n.env["EDGE_CONFIG"] = n.config
	if got := n.edged("precheck"); got != (outcome{}) {
		t.Errorf("a clean boot is not silent: %+v", got)
	}
	missing := filepath.Join(n.dir, "missing.yaml")
	if got := n.edged("precheck", "--config", missing); got.code != gate.ExitConfig || !strings.Contains(got.stderr, "path="+missing) {
		t.Errorf("--config does not count more than EDGE_CONFIG: %+v", got)
	}
}

// TestLogLevel: the config's level holds unless the flag is given.
func TestLogLevel(t *testing.T) {
	for _, tt := range []struct {
		configured, flag string
		info             bool
	}{
		{"info", "", true}, {"warn", "", false}, {"error", "", false}, {"debug", "", true},
		{"warn", "info", true}, {"info", "warn", false}, {"error", "debug", true}, {"info", "INFO", true},
	} {
		t.Run(tt.configured+" "+tt.flag, func(t *testing.T) {
			n := newNode(t, tt.configured)
			args := []string{"precheck", "--config", n.config}
			if tt.flag != "" {
				args = append([]string{"--log-level", tt.flag}, args...)
			}
			got := n.edged(args...)
			if got.code != 0 || strings.Contains(got.stderr, "level=INFO") != tt.info {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestLogFormat: what is no terminal gets logfmt, unless a format is asked for.
func TestLogFormat(t *testing.T) {
	const colour = "\x1b["
	for _, tt := range []struct {
		format, env string
		want        string
		coloured    bool
	}{
		{"", "", "level=INFO msg=edge.os.fingerprint_initialized composite_hash=", false},
		{"auto", "", "level=INFO msg=edge.os.fingerprint_initialized composite_hash=", false},
		{"logfmt", "", "level=INFO msg=edge.os.fingerprint_initialized composite_hash=", false},
		{"json", "", `"level":"INFO","msg":"edge.os.fingerprint_initialized","composite_hash":"`, false},
		{"pretty", "", "edge.os.fingerprint_initialized", true},
		{"pretty", "TERM=dumb", "INF edge.os.fingerprint_initialized composite_hash=", false},
		{"pretty", "TERM=xterm", "edge.os.fingerprint_initialized", true},
		{"pretty", "NO_COLOR=1", "INF edge.os.fingerprint_initialized composite_hash=", false},
	} {
		t.Run(tt.format+tt.env, func(t *testing.T) {
			n := newNode(t, "info")
			name, value, _ := strings.Cut(tt.env, "=")
			n.env[name] = value
			args := []string{"precheck", "--config", n.config}
			if tt.format != "" {
				args = append(args, "--log-format", tt.format)
			}
			got := n.edged(args...)
			if got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, tt.want) || strings.Contains(got.stderr, colour) != tt.coloured {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestSecrets: the salt is never printed, whatever is wrong with the config.
func TestSecrets(t *testing.T) {
	n := newNode(t, "debug")
	data, err := os.ReadFile(n.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{salt + "a", salt + "zz", salt[:40]} {
		n.write(t, "config.yaml", []byte(strings.Replace(string(data), salt, broken, 1)))
		got := n.edged("precheck", "--config", n.config, "--log-level", "debug")
		if got.code != gate.ExitConfig || strings.Contains(got.stderr+got.stdout, "abab") {
			t.Errorf("%+v", got)
		}
	}
}

// TestStateRoot: EDGE_STATE_ROOT overrides the config.
func TestStateRoot(t *testing.T) {
	n := newNode(t, "info")
	n.env["EDGE_STATE_ROOT"] = "state"
	got := n.edged("precheck", "--config", n.config)
	if got.code != gate.ExitStateRoot || !strings.Contains(got.stderr, "path is not absolute") || !strings.Contains(got.stderr, " path=state ") {
		t.Errorf("%+v", got)
	}
	other := t.TempDir()
	n.env["EDGE_STATE_ROOT"] = other
	if got := n.edged("precheck", "--config", n.config); got.code != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(other, "journal")); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(n.dir, "state")); err != nil || len(left) != 0 {
		t.Errorf("the config's state root was used too: %v, %v", left, err)
	}
}

// TestDryRun: its result is on standard output, and is JSON where asked for.
func TestDryRun(t *testing.T) {
	n := newNode(t, "warn")
	n.env["EDGE_CONFIG"] = n.config
	got := n.edged("precheck", "--dry-run")
	if got.code != 0 || got.stderr != "" || !strings.HasSuffix(got.stdout, "would exit    0\n") {
		t.Errorf("%+v", got)
	}
	got = n.edged("precheck", "--dry-run", "--log-format", "json")
	var result struct {
		DryRun   bool `json:"dry_run"`
		ExitCode int  `json:"exit_code"`
		Events   []struct {
			Type string `json:"type"`
		} `json:"events"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &result); err != nil || !result.DryRun || len(result.Events) != 1 || result.Events[0].Type != "FingerprintCaptured" {
		t.Errorf("%+v, %v", got, err)
	}
	if left, err := os.ReadDir(filepath.Join(n.dir, "state")); err != nil || len(left) != 0 {
		t.Errorf("it wrote %v, %v", left, err)
	}
	// It exits as the real run would.
	if err := os.Remove(filepath.Join(n.dir, "node.key")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"precheck", "--dry-run"}, {"precheck"}} {
		if got := n.edged(args...); got.code != gate.ExitCertificate {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// lastPass is what a gate that passed has left.
const lastPass = `{"boot_id":"5ad6f1a0-6c8e-4a86-9d38-0a1f6fbc3f10","run":"01980000-0000-7000-8000-000000000000","seq":7}` + "\n"

// TestReadyFile: it is there after exit 0 and only then.
func TestReadyFile(t *testing.T) {
	n := newNode(t, "warn")
	passed := filepath.Join(n.dir, "passed")
	n.write(t, "passed", []byte(lastPass))
	if got := n.edged("precheck", "--ready-file", passed); got.code != gate.ExitConfig {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(passed); err == nil {
		t.Error("a run that failed left the pass of the boot before")
	}
	if got := n.edged("precheck", "--ready-file", passed, "--config", n.config); got != (outcome{}) {
		t.Errorf("%+v", got)
	}
	data, err := os.ReadFile(passed)
	var ready struct {
		BootID string `json:"boot_id"`
		Run    string `json:"run"`
		Seq    int    `json:"seq"`
	}
	if err != nil || json.Unmarshal(data, &ready) != nil || ready.BootID == "" || ready.Run == "" || ready.Seq != 1 {
		t.Errorf("%q, %v", data, err)
	}
}

// TestReadyFileOfABadCommandLine: it is removed although the gate does not
// start, unless nothing was to be written.
func TestReadyFileOfABadCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args  string
		code  int
		stays bool
	}{
		{"precheck --ready-file PASSED --log-level loud", gate.ExitConfig, false},
		{"precheck --log-level loud --ready-file=PASSED", gate.ExitConfig, false},
		{"--log-format xml precheck --ready-file PASSED", gate.ExitConfig, false},
		{"precheck --frobnicate --ready-file PASSED", gate.ExitConfig, false},
		{"precheck --ready-file PASSED --frobnicate", gate.ExitConfig, false},
		{"precheck --ready-file PASSED --frobnicate=yes", gate.ExitConfig, false},
		{"precheck -x --ready-file PASSED", gate.ExitConfig, false},
		{"--frobnicate precheck --ready-file PASSED", gate.ExitConfig, false},
		{"--frobnicate yes precheck --ready-file PASSED", gate.ExitConfig, false},
		{"precheck now --ready-file PASSED", gate.ExitConfig, false},
		{"precheck --rotation-valid-days many --ready-file PASSED", gate.ExitConfig, false},
		{"precheck --rotation-valid-days 0 --ready-file PASSED", gate.ExitConfig, false},
		{"precheck --ready-file PASSED --config", gate.ExitConfig, false},
		{"precheck --ready-file elsewhere --frobnicate --ready-file PASSED", gate.ExitConfig, false},
		{"precheck --dry-run=false --ready-file PASSED --frobnicate", gate.ExitConfig, false},
		{"precheck --config --dry-run --ready-file PASSED", gate.ExitConfig, false}, // the config's name

		{"precheck --ready-file PASSED --dry-run --frobnicate", gate.ExitConfig, true},
		{"precheck --frobnicate --ready-file PASSED --dry-run=yes", gate.ExitConfig, true},
		{"precheck --ready-file PASSED --help", 0, true},
		{"precheck --ready-file PASSED -h", 0, true},
		{"precheck --frobnicate --ready-file PASSED --help", gate.ExitConfig, true},
		{"help precheck --ready-file PASSED", gate.ExitConfig, true},
		{"__complete precheck --ready-file PASSED --frob", 0, true},
		{"version --ready-file PASSED", gate.ExitConfig, true},
		{"precheck --frobnicate -- --ready-file PASSED", gate.ExitConfig, true},
		{"--log-level loud --ready-file PASSED", gate.ExitConfig, true},
	} {
		t.Run(tt.args, func(t *testing.T) {
			passed := filepath.Join(t.TempDir(), "passed")
			if err := os.WriteFile(passed, []byte(lastPass), 0o600); err != nil {
				t.Fatal(err)
			}
			got := command(nil, strings.Fields(strings.ReplaceAll(tt.args, "PASSED", passed))...)
			if got.code != tt.code {
				t.Errorf("%+v, want exit %d", got, tt.code)
			}
			if _, err := os.Stat(passed); (err == nil) != tt.stays {
				t.Errorf("the pass stays: %t, want %t; %+v", err == nil, tt.stays, got)
			}
		})
	}
	// What is not the gate's stays, and counts more than the command line.
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("mission data"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := command(nil, "precheck", "--frobnicate", "--ready-file", other)
	if _, err := os.Stat(other); err != nil || got.code != gate.ExitStateRoot ||
		!strings.Contains(got.stderr, "unknown flag") || !strings.Contains(got.stderr, other) {
		t.Errorf("%+v, %v", got, err)
	}
}
