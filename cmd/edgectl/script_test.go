package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/autonomyops/edged/internal/history/historytest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"edgectl": main})
}

// What the command line promises is a script with its output.
func TestScript(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "edged"), "github.com/autonomyops/edged/cmd/edged").CombinedOutput(); err != nil {
		t.Fatalf("build edged: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("EDGE_STATE_ROOT_SKIP_MOUNT_CHECK", "1")
			e.Setenv("EDGED", filepath.Join(bin, "edged"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "columns": columns, "replace": replace, "rot": rot, "remember": remember, "unchanged": unchanged,
			"json": printsJSON, "alljson": allPrintJSON,
		},
	})
}

// exits CODE COMMAND…: the command ends with exactly this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if err != nil {
		var exit *exec.ExitError
		if e, ok := err.(*exec.ExitError); ok {
			exit = e
		} else {
			ts.Fatalf("%s: %v", args[1], err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// columns N FILE: no line is longer.
func columns(ts *testscript.TestScript, _ bool, args []string) {
	limit, err := strconv.Atoi(args[0])
	ts.Check(err)
	for line := range strings.SplitSeq(ts.ReadFile(args[1]), "\n") {
		if n := utf8.RuneCountInString(line); n > limit {
			ts.Fatalf("%d columns: %s", n, line)
		}
	}
}

// replace FILE OLD NEW: OLD is there, and is replaced.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	data, err := os.ReadFile(name)
	ts.Check(err)
	if !bytes.Contains(data, []byte(args[1])) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(name, bytes.ReplaceAll(data, []byte(args[1]), []byte(args[2])), 0o600))
}

// rot DIR: of a journal's tables and frames a bit is another.
func rot(ts *testscript.TestScript, _ bool, args []string) {
	tail := filepath.Join(ts.MkAbs(args[0]), "tail")
	data, err := os.ReadFile(tail)
	ts.Check(err)
	historytest.RotFrames(data)
	ts.Check(os.WriteFile(tail, data, 0o600))
	tables, err := filepath.Glob(filepath.Join(ts.MkAbs(args[0]), "*.sst"))
	ts.Check(err)
	for _, name := range tables {
		data, err := os.ReadFile(name)
		ts.Check(err)
		data[len(data)/4] ^= 1
		ts.Check(os.WriteFile(name, data, 0o600))
	}
}

// remember DIR and unchanged DIR: contents, modes and times of everything.
func remember(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv("TREE", fmt.Sprint(historytest.Tree(asTB(ts), ts.MkAbs(args[0]))))
}

func unchanged(ts *testscript.TestScript, _ bool, args []string) {
	if now := fmt.Sprint(historytest.Tree(asTB(ts), ts.MkAbs(args[0]))); now != ts.Getenv("TREE") {
		ts.Fatalf("%s changed:\n%s\n%s", args[0], ts.Getenv("TREE"), now)
	}
}

// scriptTB lets helpers of tests fail a script.
type scriptTB struct {
	testing.TB
	ts *testscript.TestScript
}

func asTB(ts *testscript.TestScript) testing.TB { return scriptTB{ts: ts} }

func (s scriptTB) Helper()           {}
func (s scriptTB) Fatal(args ...any) { s.ts.Fatalf("%s", fmt.Sprint(args...)) }
