package vm

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// bootTimeout is far beyond the slowest boot. It only keeps a machine that hangs from holding up
// the run.
const bootTimeout = 10 * time.Minute

// A boot is what one boot of a machine printed, and how it ended.
type boot struct {
	console string
	exit    string        // what the guest reported of the gate; "" if the boot ended before
	done    bool          // the disk was unmounted and the machine powered off
	gate    time.Duration // from the gate's start to its end; 0 if it did not end
	writes  int           // to the disk in this time
	cut     bool          // the machine was killed
}

// drive returns QEMU's options for a disk. QEMU writes through to the host's cache, which outlives it;
// what only the guest's memory holds is lost when it is killed. The guest's flushes therefore need not
// wait for the host's disk.
func drive(image string) []string {
	return []string{"-drive", "if=virtio,format=raw,cache=unsafe,file=" + image}
}

// A cut is when to kill QEMU: some time after the gate was started, or after it has written to the disk
// so many times. If the gate ends earlier, QEMU is killed then.
type cut struct {
	writes int
	after  time.Duration
}

func (c *cut) String() string {
	return fmt.Sprintf("write %d+%.1fms", c.writes, float64(c.after.Microseconds())/1000)
}

// start boots an operating system over a disk with QEMU's options, to its end or to the cut.
func start(t *testing.T, o opsys, d *disk, options []string, c *cut) boot {
	t.Helper()
	// On a busy host the emulated TSC is calibrated wrongly, so that the guest's clock runs fast, and the
	// check of the timer finds none.
	line := "console=ttyS0 quiet panic=-1 no_timer_check tsc=unstable clocksource=acpi_pm persist=" + d.fs + o.line
	cmd := exec.Command("qemu-system-x86_64", append([]string{"-accel", "tcg", "-cpu", "max", "-M", "q35", "-m", "512",
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", o.kernel, "-initrd", o.initramfs, "-append", line}, options...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var b boot
	late := time.AfterFunc(bootTimeout, func() { _ = cmd.Process.Kill() })
	w := watchWrites(t, d.image)
	b.watch(out, w, c, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	b.writes = w.stop()
	hung := !late.Stop()
	switch {
	case hung:
		t.Fatalf("%s: the machine was still on after %s\n%s", o.name, bootTimeout, b.console)
	case err != nil && !b.cut:
		t.Fatalf("%s: qemu: %v\n%s%s", o.name, err, errs.String(), b.console)
	case strings.Contains(b.console, "EDGED-VM error="):
		t.Fatalf("%s: the guest failed\n%s", o.name, b.console)
	}
	return b
}

// watch reads the console to its end, and calls kill at the time of the cut.
func (b *boot) watch(out io.Reader, w *writes, c *cut, kill func()) {
	var console strings.Builder
	var began time.Time
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		console.WriteString(line + "\n")
		switch {
		case line == "EDGED-VM gate":
			began = time.Now()
			if c != nil {
				w.begin(c.writes, func() { time.AfterFunc(c.after, kill) })
			} else {
				w.begin(0, func() {})
			}
		case strings.HasPrefix(line, "EDGED-VM exit="):
			b.exit, b.gate = strings.TrimPrefix(line, "EDGED-VM "), time.Since(began)
			w.end()
			if c != nil {
				kill()
			}
		case line == "EDGED-VM done":
			b.done = true
		}
	}
	b.console = console.String()
	b.cut = c != nil && !began.IsZero()
}

// messages returns the gate's lines on the console, without their time.
func (b *boot) messages() string {
	return strings.Join(regexp.MustCompile(`(?m)level=(?:INFO|WARN|ERROR) msg=.*$`).FindAllString(b.console, -1), "\n")
}

// mustPass requires that the gate passed and that the machine powered off.
func (b *boot) mustPass(t *testing.T, what string) {
	t.Helper()
	if b.exit != "exit=0 ready=true" || !b.done {
		t.Fatalf("%s: the guest reported %q, powered off: %t\n%s", what, b.exit, b.done, b.console)
	}
}

func (b *boot) String() string {
	return fmt.Sprintf("%s after %s", strings.TrimPrefix(b.exit, "exit="), b.gate.Round(time.Millisecond))
}
