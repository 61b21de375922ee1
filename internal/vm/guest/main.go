// Command guest is PID 1 of the virtual machines in which internal/vm boots the gate. It loads the
// modules that the disk needs, mounts the disk at /persist, runs the gate, and powers the machine off. Each
// line that it prints for the host begins with "EDGED-VM ". If the kernel's command line names a root
// filesystem, guest is only its initramfs: it mounts it and executes its init program.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	disk    = "/dev/vda"
	persist = "/persist"
	ready   = "/run/edged/passed"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest is the init program of a virtual machine")
		os.Exit(1)
	}
	if err := boot(); err != nil {
		report("error=%q", err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) // nobody is left to report to
}

// report prints one line for the host.
func report(format string, args ...any) {
	fmt.Printf("\nEDGED-VM "+format+"\n", args...)
}

// boot does what the units before the gate do on a node, and then runs the gate.
func boot() error {
	if err := systemMounts(); err != nil {
		return err
	}
	line, err := commandLine()
	if err != nil {
		return err
	}
	kind := line["persist"]
	if err := loadModules(kind); err != nil {
		return err
	}
	if root := line["root"]; root != "" {
		return switchRoot(root)
	}
	if err := waitFor(disk); err != nil {
		return err
	}
	if err := unix.Mount(disk, persist, kind, 0, ""); err != nil {
		return fmt.Errorf("mount %s as %s: %w", disk, kind, err)
	}
	report("gate")
	exit, err := gate()
	if err != nil {
		return err
	}
	_, err = os.Stat(ready)
	report("exit=%d ready=%t", exit, err == nil)
	unix.Sync()
	if err := unix.Unmount(persist, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", persist, err)
	}
	report("done")
	return nil
}

// systemMounts mounts what every Linux system has, and makes the console the output of this
// program: the kernel starts it without one, as the initramfs has no device nodes.
func systemMounts() error {
	for _, m := range []struct{ kind, at string }{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/run"}} {
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	console, err := os.OpenFile("/dev/console", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	os.Stdout, os.Stderr = console, console
	return os.Mkdir(filepath.Dir(ready), 0o755) //nolint:gosec // as systemd makes it
}

// loadModules loads the modules that a filesystem needs, in the order of their list.
func loadModules(kind string) error {
	list, err := os.ReadFile(filepath.Join("/modules", kind))
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(list)) {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), "", 0)
		_ = f.Close() // it was only read
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

// commandLine returns the values on the kernel's command line by their names.
func commandLine() (map[string]string, error) {
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for word := range strings.FieldsSeq(string(line)) {
		name, value, _ := strings.Cut(word, "=")
		values[name] = value
	}
	if values["persist"] == "" {
		return nil, errors.New("the kernel's command line has no persist=")
	}
	return values, nil
}

// switchRoot executes the init program of a root filesystem, which is ext4. The partition is left to
// the units there; its modules are loaded, as the root has none. It returns only if it fails.
func switchRoot(root string) error {
	if err := loadModules("ext4"); err != nil {
		return err
	}
	if err := waitFor(root); err != nil {
		return err
	}
	const at = "/root"
	if err := unix.Mount(root, at, "ext4", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", root, err)
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(dir, at+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", dir, err)
		}
	}
	if err := unix.Chdir(at); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move %s to /: %w", root, err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"})
}

// waitFor waits until the kernel has found the disk.
func waitFor(path string) error {
	for range 3000 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s did not appear", path)
}

// gate runs the gate as its unit does, and returns its exit code.
func gate() (int, error) {
	cmd := exec.Command("/usr/bin/edged", "precheck", "--log-format", "logfmt", "--ready-file", ready)
	cmd.Env = []string{"EDGE_CONFIG=/etc/edged/config.yaml"}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err := cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode(), nil
	}
	return 0, err
}
