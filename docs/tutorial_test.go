package docs_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

const tutorial = "docs/tutorial.md"

// Where the page says that everything happens. The test has it elsewhere.
const (
	tourFolder   = "/tmp/edge-tour"
	memoryFolder = "/dev/shm/edge-tour"
)

// update replaces promised output that is no longer printed. Read what it
// writes before you believe it.
var update = flag.Bool("update", false, "write the tutorial's outputs as they are printed now")

// TestTutorialScript types the whole tour and compares what it prints.
func TestTutorialScript(t *testing.T) {
	for _, tool := range []string{"sh", "script", "go", "openssl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the tour is not taken: %s is not installed", tool)
		}
	}
	dir := filepath.Join(t.TempDir(), "tour")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	memory := memoryFilesystem(t)
	here := strings.NewReplacer(tourFolder, dir, memoryFolder, memory)
	there := strings.NewReplacer(dir, tourFolder, memory, memoryFolder)

	var script typed
	var steps []step
	promised := ""
	for _, b := range readBlocks(t, tutorial) {
		switch {
		case b.kind() == "console":
			more, err := b.steps()
			if err != nil {
				t.Fatalf("%s: %v", tutorial, err)
			}
			for _, s := range more {
				script.step(s, b.has("terminal"), here)
				promised += s.output
			}
			steps = append(steps, more...)
		case len(b.info) == 2: // a file to save
			name := b.info[1]
			lines := strings.Split(read(t, tutorial), "\n")
			if !strings.Contains(lines[b.line-4]+lines[b.line-3], "Save this as `"+name+"`") {
				t.Errorf("%s:%d: the text before does not say to save this as `%s`", tutorial, b.line, name)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(here.Replace(strings.Join(b.lines, "\n")+"\n")), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	scripts, scrub := t.TempDir(), newScrubber(promised)
	script.write(t, scripts, "tutorial")
	var printed []string // by each step
	t.Cleanup(func() { rewrite(t, steps, printed) })
	runTyped(t, scripts, binaries(t), map[string]func(*testscript.TestScript, bool, []string){
		// prints FILE: the last command printed what the file promises.
		"prints": func(ts *testscript.TestScript, _ bool, args []string) {
			got, want := scrub.scrub(there.Replace(ts.ReadFile("stdout"))), ts.ReadFile(args[0])
			printed = append(printed, got)
			if got != want && !*update {
				ts.Fatalf("promised:\n%sprinted:\n%s", want, got)
			}
		},
	})
}

// step types a step of the tour. On a terminal its output is coloured, unless
// it asks for none.
func (s *typed) step(st step, terminal bool, here *strings.Replacer) {
	command := here.Replace(st.command)
	if !terminal {
		s.command(tutorial, st.line, command)
	} else {
		s.onTerminal(tutorial, st.line, command)
		if st.output != "" && !strings.Contains(command, "NO_COLOR=1") {
			s.lines += "stdout '\\x1b'\n"
		} else {
			s.lines += "! stdout '\\x1b'\n"
		}
	}
	s.lines += "prints " + s.file(st.output) + "\n\n"
}

// rewrite puts what was printed in the place of what was promised.
func rewrite(t *testing.T, steps []step, printed []string) {
	if !*update || len(printed) != len(steps) {
		return
	}
	lines := strings.Split(read(t, tutorial), "\n")
	for i, s := range slices.Backward(steps) {
		at := s.line + strings.Count(s.command, "\n")
		var now []string
		for l := range strings.Lines(printed[i]) {
			now = append(now, strings.TrimSuffix(l, "\n"))
		}
		lines = slices.Replace(lines, at, at+strings.Count(s.output, "\n"), now...)
	}
	if err := os.WriteFile("tutorial.md", []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Error(err)
	}
}

// memoryFilesystem gives a path on a tmpfs where nothing is yet.
func memoryFilesystem(t *testing.T) string {
	t.Helper()
	parent := filepath.Dir(memoryFolder)
	var st unix.Statfs_t
	if err := unix.Statfs(parent, &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		t.Skipf("the tour is not taken: %s is no tmpfs here", parent)
	}
	dir, err := os.MkdirTemp(parent, "edge-tour-test-")
	if err != nil {
		t.Skipf("the tour is not taken: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "root")
}
