package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestJudgeELF judges an empty program, with and without symbols.
func TestJudgeELF(t *testing.T) {
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		flags    string
		stripped bool
	}{{"-s -w", true}, {"", false}} {
		out := filepath.Join(dir, "out")
		cmd := exec.Command("go", "build", "-ldflags", tt.flags, "-o", out, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		got, err := judgeELF(out)
		if err != nil || got.arch != runtime.GOARCH || !got.static || got.stripped != tt.stripped {
			t.Errorf("flags %q: %+v, %v", tt.flags, got, err)
		}
	}
	if sh, err := judgeELF("/bin/ls"); err == nil && sh.static {
		t.Logf("/bin/ls is static here: %+v", sh)
	}
	if _, err := judgeELF(source); err == nil {
		t.Error("a source file is no binary")
	}
}
