package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable/mountinfo"
	"github.com/autonomyops/edged/internal/history/historytest"
)

// callBeneath is call on a system whose root directory is system.
func callBeneath(system string, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(&env{ctx: context.Background(), system: system, getenv: func(k string) string { return vars[k] },
		mounts: func() []mountinfo.Mount { return nil }, stdout: &out, stderr: &errs}, args)
	return code, out.String(), errs.String()
}

// writeConfig writes a valid config that names the state root.
func writeConfig(t *testing.T, path, stateRoot string) {
	t.Helper()
	node := t.TempDir()
	if code, _, errs := call(nil, "init", node, "--node", "n"); code != 0 {
		t.Fatal(errs)
	}
	data, err := os.ReadFile(filepath.Join(node, "bootstrap/config.yaml"))
	historytest.Check(t, err)
	named := bytes.ReplaceAll(data, []byte(`root: "`+node+`"`), []byte(`root: "`+stateRoot+`"`))
	if bytes.Equal(named, data) {
		t.Fatalf("the config does not name %s:\n%s", node, data)
	}
	historytest.Check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	historytest.Check(t, os.WriteFile(path, named, 0o600))
}

// A command that nothing names a state root to finds the system's config, and
// reports that once on standard error.
func TestFoundConfig(t *testing.T) {
	h := newHistory(t)
	system := t.TempDir()
	usual := filepath.Join(system, "etc/edged/config.yaml")
	writeConfig(t, usual, h.Dir)
	found := "edgectl: using the config " + usual + "\n"
	for args, exit := range map[string]int{
		"journal head":          exitOK,
		"journal log --lines 1": exitOK,
		"replay --at epoch:1":   exitOK,
		"status":                exitWrong, // the history has neither certificates nor a manifest
		"doctor":                exitWrong,
	} {
		args := strings.Fields(args)
		code, named, errs := call(nil, append(args, "--config", usual)...)
		if code != exit || strings.Contains(errs, "using the config") {
			t.Fatalf("%v --config: %d, %s", args, code, errs)
		}
		code, out, errs := callBeneath(system, nil, args...)
		if code != exit || out == "" || errs != found {
			t.Errorf("%v: %d, %q, standard error %q, want %q", args, code, out, errs, found)
		}
		if args[0] != "doctor" && args[0] != "status" && out != named {
			t.Errorf("%v prints\n%s\nand with --config\n%s", args, out, named)
		}
	}

	// What is named comes before what is found, and then nothing is reported.
	_, want, _ := call(nil, "journal", "head", "--state-root", h.Dir)
	other := filepath.Join(t.TempDir(), "config.yaml")
	writeConfig(t, other, h.Dir)
	writeConfig(t, usual, "/absent")
	for _, tt := range []struct {
		vars map[string]string
		args []string
	}{
		{nil, []string{"--state-root", h.Dir}},
		{nil, []string{"--config", other}},
		{nil, []string{"--journal", h.Dir}},
		{map[string]string{"EDGE_STATE_ROOT": h.Dir}, nil},
		{map[string]string{"EDGE_CONFIG": other}, nil},
	} {
		code, out, errs := callBeneath(system, tt.vars, append([]string{"journal", "head"}, tt.args...)...)
		if code != exitOK || out != want || errs != "" {
			t.Errorf("%v %v: %d, %s%s", tt.vars, tt.args, code, out, errs)
		}
	}

	// A config that is found and not valid is no reason to look further.
	historytest.Check(t, os.WriteFile(usual, []byte("schema: v7\n"), 0o600))
	code, _, errs := callBeneath(system, nil, "journal", "head")
	if code != exitNot || !strings.HasPrefix(errs, found) || !strings.Contains(errs, "schema") {
		t.Errorf("%d, %s", code, errs)
	}
}

// doctor takes the config that names the state root which a flag names: the
// system's, or else the copy in the state root.
func TestFoundConfigOfStateRoot(t *testing.T) {
	h := newHistory(t)
	system := t.TempDir()
	usual, copied := filepath.Join(system, "etc/edged/config.yaml"), filepath.Join(h.Dir, "bootstrap/config.yaml")
	writeConfig(t, copied, h.Dir)
	for _, tt := range []struct{ names, want string }{{h.Dir, usual}, {"/absent", copied}} {
		writeConfig(t, usual, tt.names)
		_, out, errs := callBeneath(system, nil, "doctor", "--json", "--state-root", h.Dir)
		if errs != "edgectl: using the config "+tt.want+"\n" || !strings.Contains(out, `"config":"`+tt.want+`"`) {
			t.Errorf("the system's config names %s: %s%s, want %s", tt.names, errs, out, tt.want)
		}
	}
}

// If nothing names a state root, the error has every way to name one.
func TestNoStateRoot(t *testing.T) {
	system := t.TempDir()
	for _, args := range []string{"journal head", "journal verify", "journal log", "replay explain", "status", "doctor", "manifest verify",
		"drill --reason x", "clock reset --reason x", "journal rename-node m --reason x", "audit bundle --out " + filepath.Join(system, "b.tar.zst")} {
		code, out, errs := callBeneath(system, nil, strings.Fields(args)...)
		if code != exitNot || out != "" {
			t.Errorf("%s: %d, %s", args, code, out)
		}
		for _, way := range []string{"no state root is named", "--state-root DIR", "--config FILE", "EDGE_STATE_ROOT", "EDGE_CONFIG",
			filepath.Join(system, "etc/edged/config.yaml")} {
			if !strings.Contains(errs, way) {
				t.Errorf("%s: the error does not name %s: %s", args, way, errs)
			}
		}
	}
	if left, err := os.ReadDir(system); err != nil || len(left) > 0 {
		t.Errorf("the commands left %v, %v", left, err)
	}
}
