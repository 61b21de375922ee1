package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// command is a whole process to be measured. Its output is dropped.
type command struct {
	args []string // args[0] is a path
	env  []string // in addition to PATH
	// otherOS makes uname(2) return another kernel release, as setarch --uname-2.6
	// does. To the gate that is a replaced operating system.
	otherOS bool
}

// run returns the wall time from exec to exit. A command that fails is an error, with the end of its output.
func (c command) run() (time.Duration, error) {
	took, _, err := c.start(false)
	return took, err
}

// output runs the command and returns its standard output.
func (c command) output() ([]byte, error) {
	_, out, err := c.start(true)
	return out, err
}

func (c command) start(keep bool) (time.Duration, []byte, error) {
	var stdout bytes.Buffer
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, c.env...)
	if keep {
		cmd.Stdout = &stdout
	}
	// A file rather than a pipe: nothing has to read it while the clock runs.
	said, err := os.CreateTemp("", "edged-bench-*")
	if err != nil {
		return 0, nil, err
	}
	defer said.Close()           //nolint:errcheck // read back below
	defer os.Remove(said.Name()) //nolint:errcheck // a temporary file
	cmd.Stderr = said
	began := time.Now()
	if c.otherOS {
		if err := startAsOtherOS(cmd); err != nil {
			return 0, nil, err
		}
		err = cmd.Wait()
	} else {
		err = cmd.Run()
	}
	took := time.Since(began)
	if err != nil {
		return took, nil, fmt.Errorf("%s: %w: %s", strings.Join(c.args, " "), err, tail(said))
	}
	return took, stdout.Bytes(), nil
}

// startAsOtherOS starts cmd with the UNAME26 personality, which the child inherits from the thread that forks it.
func startAsOtherOS(cmd *exec.Cmd) error {
	const query, uname26 = 0xffffffff, 0x0020000
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _, errno := unix.Syscall(unix.SYS_PERSONALITY, query, 0, 0)
	if errno != 0 {
		return fmt.Errorf("read the personality: %w", errno)
	}
	if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, old|uname26, 0, 0); errno != 0 {
		return fmt.Errorf("set the personality: %w", errno)
	}
	err := cmd.Start()
	if _, _, errno := unix.Syscall(unix.SYS_PERSONALITY, old, 0, 0); errno != 0 && err == nil {
		err = fmt.Errorf("restore the personality: %w", errno)
	}
	return err
}

// tail returns the last 400 bytes of a process's output.
func tail(f *os.File) string {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	text, _ := io.ReadAll(f)
	return strings.TrimSpace(string(text[max(0, len(text)-400):]))
}

// usage is the memory and CPU time of a process.
type usage struct {
	mib float64 // peak of its resident memory
	cpu float64 // seconds, all cores together
}

// peak runs the command and returns its usage.
func (b *bench) peak(c command) (usage, error) {
	c.args = append([]string{b.reference("peak")}, c.args...)
	out, err := c.output()
	if err != nil {
		return usage{}, err
	}
	u, err := parseUsage(string(out))
	if err != nil {
		return u, fmt.Errorf("%s: %w", c.args[0], err)
	}
	return u, nil
}

// parseUsage reads the output of peak: KiB and seconds.
func parseUsage(text string) (u usage, err error) {
	var kib float64
	if _, err := fmt.Sscanf(text, "%g %g\n", &kib, &u.cpu); err != nil {
		return usage{}, fmt.Errorf("%q is not memory and CPU time: %w", text, err)
	}
	u.mib = kib / 1024
	return u, nil
}
