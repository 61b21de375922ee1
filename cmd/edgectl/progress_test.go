package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
)

// A command's line is overwritten, and is taken off before anything else is
// written; what the command prints as its result ends it.
func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	began := time.Unix(1000, 0)
	p := &progress{screen: &screen, columns: 40, began: began}
	messages, results := above{p, &screen, false}, above{p, &screen, true}
	after := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	var want strings.Builder
	expect := func(s string) {
		t.Helper()
		want.WriteString(s)
		if screen.String() != want.String() {
			t.Fatalf("the screen has\n%q, want\n%q", screen.String(), want.String())
		}
	}
	p.begin("journal verify")
	p.at("verify", 1, 2)
	p.draw(began.Add(progressAfter - 1))
	expect("")
	p.at("verify", 4096, 10000)
	p.draw(after(2))
	expect("\rverify: 4096 of 10000 records (40 %), 2") // of 40 columns the last stays free
	p.at("export", 5, 0)
	p.draw(after(3))
	expect("\rexport: 5 records, 3 s" + strings.Repeat(" ", 17))
	fmt.Fprint(messages, "edgectl: a message\n")
	expect("\r" + strings.Repeat(" ", 22) + "\redgectl: a message\n")
	p.draw(after(4))
	expect("\rexport: 5 records, 4 s")
	fmt.Fprint(results, "a result\n")
	expect("\r" + strings.Repeat(" ", 22) + "\ra result\n")
	p.draw(after(5))
	expect("")

	p = &progress{screen: &screen, columns: 80, began: began}
	p.begin("journal show")
	p.draw(after(7))
	expect("\rjournal show: 7 s")
	p.end()
	expect("\r" + strings.Repeat(" ", 17) + "\r")
	p.draw(after(8))
	expect("")
}

// onTerminal runs a command whose standard output and error are a terminal of so
// many columns, and returns what that shows.
func onTerminal(t *testing.T, columns int, vars map[string]string, args ...string) (code int, screen string) {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudoterminals here: %v", err)
	}
	defer ptmx.Close()
	fd := int(ptmx.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	historytest.Check(t, err)
	historytest.Check(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	historytest.Check(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}))
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	historytest.Check(t, err)
	shown := make(chan string)
	go func() {
		all, _ := io.ReadAll(ptmx) // ends with EIO once the terminal is closed
		shown <- string(all)
	}()
	code = run(&env{ctx: context.Background(), getenv: func(k string) string { return vars[k] }, mounts: mounts, stdout: tty, stderr: tty}, args)
	historytest.Check(t, tty.Close())
	return code, strings.ReplaceAll(<-shown, "\r\n", "\n")
}

func TestOnTerminal(t *testing.T) {
	h := newHistory(t)
	for _, term := range []string{"xterm", "dumb"} {
		code, screen := onTerminal(t, 80, map[string]string{"TERM": term}, "journal", "head", "--state-root", h.Dir)
		if code != 0 || !strings.HasPrefix(screen, `{"journal":`) {
			t.Errorf("TERM=%s: %d, %q", term, code, screen)
		}
		code, screen = onTerminal(t, 80, map[string]string{"TERM": term}, "journal", "head", "--state-root", "/absent")
		if code != 2 || !strings.HasPrefix(screen, "edgectl: ") {
			t.Errorf("TERM=%s: %d, %q", term, code, screen)
		}
	}
}

// A log is as wide as the terminal, and whole in a pipe; a failure is told with
// what to do next.
func TestLogOnTerminal(t *testing.T) {
	h := newHistory(t)
	h.Append(machine.PrecheckFailed{V: 1, ExitCode: 5, Stage: "manifest", Path: "runtime/manifest.json.sig",
		Reason: "precheck: manifest signature verification failed: runtime/manifest.json.sig: another key signed", Next: "sign exactly what is deployed"})
	h.Stop()
	args := []string{"journal", "log", "--state-root", h.Dir}
	_, piped, _ := call(nil, args...)
	const failed = "exit 5 at manifest: manifest signature verification failed: runtime/manifest.json.sig: another key signed; next: sign exactly what is deployed\n"
	if strings.Count(piped, "\n") != 9 || !strings.HasSuffix(piped, failed) {
		t.Errorf("in a pipe:\n%s", piped)
	}
	for _, columns := range []int{60, 80, 132} {
		code, screen := onTerminal(t, columns, nil, args...)
		widest := 0
		for line := range strings.Lines(screen) {
			widest = max(widest, len(strings.TrimSuffix(line, "\n")))
		}
		words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
		if code != 0 || widest > columns || widest < columns-24 || words(screen) != words(strings.Replace(piped, "; next:", " next:", 1)) {
			t.Errorf("%d columns: %d, the widest line has %d\n%s", columns, code, widest, screen)
		}
	}
}
