package docs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// session is one shell that commands are typed into, one after the other, as
// at a terminal: folder, variables and functions stay.
type session struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	status *bufio.Reader
	said   strings.Builder // by the shell itself
	out    string          // a file
}

// newSession starts sh in dir. The environment is env and nothing else.
func newSession(t *testing.T, dir string, env []string) *session {
	t.Helper()
	s := &session{out: filepath.Join(t.TempDir(), "out")}
	s.cmd = exec.Command("sh")
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = dir, env, &s.said
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.ExtraFiles, s.status = []*os.File{w}, bufio.NewReader(r)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.stdin.Close()
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		_ = s.cmd.Wait()
		_ = r.Close()
	})
	return s.withoutWriter(t, w)
}

// withoutWriter leaves the status pipe's end to the shell, so that its death
// is seen.
func (s *session) withoutWriter(t *testing.T, w *os.File) *session {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

// run types a command. What it prints, on either stream, is the output; the
// error is its exit status, or the shell's end.
func (s *session) run(command string) (string, error) {
	if err := os.WriteFile(s.out, nil, 0o600); err != nil {
		return "", err
	}
	err := s.typed(command, s.out, "/dev/null")
	out, readErr := os.ReadFile(s.out)
	return string(out), errors.Join(err, readErr)
}

// runOnTerminal is run with a terminal for all three streams.
func (s *session) runOnTerminal(command string) (string, error) {
	master, slave, err := openTerminal()
	if err != nil {
		return "", err
	}
	type read struct {
		data []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		data, err := io.ReadAll(master)
		done <- read{data, err}
	}()
	err = s.typed(command, slave.Name(), slave.Name())
	// With the last slave closed, the master reads what is left, then EIO.
	err = errors.Join(err, slave.Close())
	got := <-done
	if got.err != nil && !errors.Is(got.err, syscall.EIO) {
		err = errors.Join(err, got.err)
	}
	return strings.ReplaceAll(string(got.data), "\r\n", "\n"), errors.Join(err, master.Close())
}

func (s *session) typed(command, out, in string) error {
	if _, err := fmt.Fprintf(s.stdin, "{ %s\n} >'%s' 2>&1 <'%s' 3>&-\necho $? >&3\n", command, out, in); err != nil {
		return err
	}
	line, err := s.status.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the shell ended: %w: %s", err, s.said.String())
	}
	if code, err := strconv.Atoi(strings.TrimSpace(line)); err != nil || code != 0 {
		return fmt.Errorf("exit status %s", strings.TrimSpace(line))
	}
	return nil
}

// openTerminal opens a pseudo-terminal.
func openTerminal() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open /dev/ptmx: %w", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	var n int
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	if err == nil {
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open a pseudo-terminal: %w", err), master.Close())
	}
	return master, slave, nil
}

func TestSession(t *testing.T) {
	s := newSession(t, t.TempDir(), []string{"PATH=" + os.Getenv("PATH")})
	for _, tt := range []struct{ command, out string }{
		{"x=1; f() { echo \"f $1\"; }", ""},
		{"f $x; f 2 >&2", "f 1\nf 2\n"},
		{"cat <<EOF\na\nEOF", "a\n"},
		{"cat", ""},
		{"[ -t 1 ] || echo no terminal", "no terminal\n"},
	} {
		if out, err := s.run(tt.command); out != tt.out || err != nil {
			t.Errorf("%s: %q, %v", tt.command, out, err)
		}
	}
	if out, err := s.runOnTerminal("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal"); out != "terminal\n" || err != nil {
		t.Errorf("on a terminal: %q, %v", out, err)
	}
	if _, err := s.run("false"); err == nil {
		t.Error("a failed command is no error")
	}
	if _, err := s.run("exit 0"); err == nil {
		t.Error("the end of the shell is no error")
	}
}
