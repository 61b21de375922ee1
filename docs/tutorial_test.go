package docs

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const tutorial = "docs/tutorial.md"

// tourFolder is where the document says that everything happens. The test has
// it elsewhere, as the document allows.
const tourFolder = "/tmp/edge-tour"

// update replaces promised output that is no longer printed. What it writes is
// to be read before it is believed.
var update = flag.Bool("update", false, "write the tutorial's outputs as they are printed now")

// escape is what colours a terminal.
const escape = `\x1b\[[0-9;]*m`

// TestTutorialScript types the whole tour and compares what it prints.
func TestTutorialScript(t *testing.T) {
	for _, tool := range []string{"sh", "go", "openssl", "jq", "mktemp"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the tour is not taken: %s is not installed", tool)
		}
	}
	needMemoryFilesystem(t, "/dev/shm")
	if m, s, err := openTerminal(); err != nil {
		t.Skipf("the tour is not taken: there are no pseudo-terminals here: %v", err)
	} else {
		_, _ = s.Close(), m.Close()
	}
	bin := binaries(t)
	dir := filepath.Join(t.TempDir(), "tour")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(read(t, tutorial), tourFolder, dir)
	all, err := blocks(text)
	if err != nil {
		t.Fatal(err)
	}
	run := &tour{t: t, dir: dir, session: newSession(t, dir, cleanEnv(bin)), outputs: newMatcher(), lines: strings.Split(text, "\n")}
	for _, b := range slices.Backward(run.blocks(all)) {
		run.rewrite(b)
	}
	if *update {
		if err := os.WriteFile("tutorial.md", []byte(strings.ReplaceAll(strings.Join(run.lines, "\n"), dir, tourFolder)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// tour is one reading of the document.
type tour struct {
	t       *testing.T
	dir     string
	session *session
	outputs *matcher
	lines   []string // of the document
}

// printed is what a step printed in place of what was promised.
type printed struct {
	step step
	got  string
}

// blocks types the blocks in order. It gives what was not as promised.
func (r *tour) blocks(all []block) []printed {
	var wrong []printed
	for _, b := range all {
		switch {
		case b.kind() == "console":
			wrong = append(wrong, r.console(b)...)
		case len(b.info) == 2: // a file to save
			name := b.info[1]
			if !strings.Contains(r.lines[b.line-4]+r.lines[b.line-3], "Save this as `"+name+"`") {
				r.t.Errorf("%s:%d: the text before does not say to save this as `%s`", tutorial, b.line, name)
			}
			if err := os.WriteFile(filepath.Join(r.dir, name), []byte(strings.Join(b.lines, "\n")+"\n"), 0o644); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	return wrong
}

func (r *tour) console(b block) (wrong []printed) {
	steps, err := b.steps()
	if err != nil {
		r.t.Fatalf("%s: %v", tutorial, err)
	}
	for _, s := range steps {
		run := r.session.run
		if b.has("terminal") {
			run = r.session.runOnTerminal
		}
		got, err := run(s.command)
		if err != nil {
			r.t.Fatalf("%s:%d: $ %s\n%s%v", tutorial, s.line, s.command, got, err)
		}
		if b.has("terminal") {
			got = r.colours(s, got)
		}
		if err := r.outputs.match(s.output, got); err != nil {
			wrong = append(wrong, printed{s, got})
			if !*update {
				r.t.Errorf("%s:%d: $ %s\n%v", tutorial, s.line, s.command, err)
			}
		}
	}
	return wrong
}

// colours holds a terminal's output to its colours, and takes them out.
func (r *tour) colours(s step, got string) string {
	plain := regexp.MustCompile(escape).ReplaceAllString(got, "")
	if coloured, forbidden := plain != got, strings.Contains(s.command, "NO_COLOR=1"); got != "" && coloured == forbidden {
		r.t.Errorf("%s:%d: $ %s: coloured is %t: %q", tutorial, s.line, s.command, coloured, got)
	}
	return plain
}

// rewrite puts what was printed in the place of what was promised.
func (r *tour) rewrite(p printed) {
	at := p.step.line + strings.Count(p.step.command, "\n")
	lines := strings.Split(strings.TrimSuffix(r.outputs.abbreviate(p.got), "\n"), "\n")
	if p.got == "" {
		lines = nil
	}
	r.lines = slices.Replace(r.lines, at, at+strings.Count(p.step.output, "\n"), lines...)
}

// cleanEnv is the environment without what the tour itself decides.
func cleanEnv(bin string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "EDGE_") || strings.HasPrefix(v, "NO_COLOR=") || strings.HasPrefix(v, "LC_") ||
			strings.HasPrefix(v, "LANG") || strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "GOFLAGS=")
	})
	return append(env, "LC_ALL=C", "PATH="+bin+":"+os.Getenv("PATH"))
}

// needMemoryFilesystem skips where dir is no tmpfs that can be written to.
func needMemoryFilesystem(t *testing.T, dir string) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		t.Skipf("the tour is not taken: %s is no tmpfs here", dir)
	}
	if err := unix.Access(dir, unix.W_OK); err != nil {
		t.Skipf("the tour is not taken: %s: %v", dir, err)
	}
}
