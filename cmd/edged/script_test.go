package main

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/autonomyops/edged/internal/testbin"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"edged": main})
}

// TestScript runs testdata/script: what the command line promises, with its
// output. Each script has a state root of its own that never saw a boot.
func TestScript(t *testing.T) {
	n := newNode(t, "info")
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("EDGE_CONFIG", n.config)
			env.Setenv("EDGE_STATE_ROOT", filepath.Join(env.WorkDir, "state"))
			env.Setenv("EDGE_STATE_ROOT_SKIP_MOUNT_CHECK", "1")
			return os.Mkdir(filepath.Join(env.WorkDir, "state"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exit": exit},
	})
}

// exit runs a command and holds its exit code to the first argument.
func exit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE command [args…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var failed *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &failed):
		got = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit %d, want %d", got, want)
	}
}

// TestBinaryScript: the binary that is shipped, from outside.
func TestBinaryScript(t *testing.T) {
	edged := filepath.Join(testbin.Binaries(t), "edged")
	file, err := elf.Open(edged)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("it is not static: it asks for an interpreter")
		}
	}
	n := newNode(t, "info")
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		code int
	}{
		{"version", []string{"version"}, nil, 0},
		{"bad flag", []string{"precheck", "--frobnicate"}, nil, 1},
		{"no config", []string{"precheck"}, nil, 1},
		{"no state root", []string{"precheck", "--config", n.config}, []string{"EDGE_STATE_ROOT=/nowhere/at/all"}, 2},
		{"first boot", []string{"precheck", "--config", n.config}, nil, 0},
		{"second boot", []string{"precheck"}, []string{"EDGE_CONFIG=" + n.config}, 0},
	} {
		cmd := exec.Command(edged, tt.args...)
		cmd.Env = append([]string{"EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1"}, tt.env...)
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tt.code {
			t.Errorf("%s: %v, want exit %d\n%s", tt.name, err, tt.code, out)
		}
		if tt.name == "second boot" && len(out) != 0 {
			t.Errorf("a clean boot is not silent: %s", out)
		}
	}
	if _, err := os.Stat(filepath.Join(n.dir, "state", "bootstrap", "os_fingerprint.json")); err != nil {
		t.Error(err)
	}
}
