package docs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// shell runs single commands in a folder.
type shell struct {
	dir string
	env []string
}

// run gives what the command prints, on either stream; the error is its exit
// status.
func (s shell) run(command string) (string, error) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, s shell, command string) string {
	t.Helper()
	out, err := s.run(command)
	if err != nil {
		t.Fatalf("$ %s\n%s%v", command, out, err)
	}
	return out
}

// cleanEnv is the environment without what the pages themselves decide.
func cleanEnv(bin string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "EDGE_") || strings.HasPrefix(v, "NO_COLOR=") || strings.HasPrefix(v, "LC_") ||
			strings.HasPrefix(v, "LANG") || strings.HasPrefix(v, "PATH=") || strings.HasPrefix(v, "GOFLAGS=")
	})
	return append(env, "LC_ALL=C", "PATH="+bin+":"+os.Getenv("PATH"))
}

// typed is a testscript that types commands one after the other, as at a
// terminal: the folder, exported variables and functions stay.
type typed struct {
	lines string   // of the script
	files []string // name, content, …
	state string   // the commands that changed the shell
}

// changes is how a command begins that changes the shell.
var changes = regexp.MustCompile(`^(cd|export) |^\w+\(\) `)

// command types a command that stands at a line of a page. Its standard error
// is its standard output. It must exit 0.
func (s *typed) command(page string, line int, command string) {
	s.exec("sh %s", page, line, command)
}

// onTerminal is command with a terminal for all three streams.
func (s *typed) onTerminal(page string, line int, command string) {
	s.exec("script -qec 'sh %s' /dev/null", page, line, command)
}

func (s *typed) exec(by, page string, line int, command string) {
	name := fmt.Sprintf("%d.sh", len(s.files)/2)
	first, _, _ := strings.Cut(command, "\n")
	s.lines += fmt.Sprintf("# %s:%d: %s\nexec "+by+"\n", page, line, first, name)
	s.files = append(s.files, name, "exec 2>&1\n"+s.state+command+"\n")
	if changes.MatchString(command) {
		s.state += command + "\n"
	}
}

// file adds a file and gives its name.
func (s *typed) file(content string) string {
	name := fmt.Sprintf("%d.txt", len(s.files)/2)
	s.files = append(s.files, name, content)
	return name
}

// write writes the script to dir under a name.
func (s *typed) write(t *testing.T, dir, name string) {
	t.Helper()
	text := s.lines
	for pair := range slices.Chunk(s.files, 2) {
		text += "-- " + pair[0] + " --\n" + pair[1]
	}
	if err := os.WriteFile(filepath.Join(dir, name+".txtar"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// runTyped runs the scripts in dir with the binaries.
func runTyped(t *testing.T, dir, bin string, cmds map[string]func(*testscript.TestScript, bool, []string)) {
	testscript.Run(t, testscript.Params{Dir: dir, Cmds: cmds, ContinueOnError: true, Setup: func(e *testscript.Env) error {
		e.Vars = append(e.Vars[:1], cleanEnv(bin)...) // the first one is the script's folder
		return nil
	}})
}
