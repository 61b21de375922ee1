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
	gate    time.Duration // from the gate's start to its end, or to the cut
	cut     bool          // the machine was killed
}

// drive returns QEMU's options for a disk. The host keeps what the guest has written, also when QEMU
// is killed. What only the guest's memory holds is lost then.
func drive(image string) []string {
	return []string{"-drive", "if=virtio,format=raw,cache=writeback,file=" + image}
}

// start boots an operating system over a disk with QEMU's options. If cut is at least 0, QEMU is
// killed that long after the gate was started, or when the gate has ended, if that is earlier.
func start(t *testing.T, o opsys, fs string, options []string, cut time.Duration) boot {
	t.Helper()
	// The emulated TSC is calibrated wrongly on a busy host, and the guest's clock then runs fast.
	line := "console=ttyS0 quiet panic=-1 tsc=unstable clocksource=acpi_pm persist=" + fs
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
	b.watch(out, cut, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
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
func (b *boot) watch(out io.Reader, cut time.Duration, kill func()) {
	var console strings.Builder
	var began time.Time
	var timer *time.Timer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		console.WriteString(line + "\n")
		switch word, _ := strings.CutPrefix(line, "EDGED-VM "); {
		case line == word: // printed by the kernel or the gate
		case word == "gate":
			began = time.Now()
			if cut >= 0 {
				timer = time.AfterFunc(cut, kill)
			}
		case strings.HasPrefix(word, "exit="):
			b.exit, b.gate = word, time.Since(began)
			if cut >= 0 {
				kill()
			}
		case word == "done":
			b.done = true
		}
	}
	b.console = console.String()
	if timer != nil {
		timer.Stop()
		b.cut = true
		if b.gate == 0 {
			b.gate = time.Since(began)
		}
	}
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
