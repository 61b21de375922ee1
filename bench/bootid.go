package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// Each measured boot has its own boot id. If the gate has run before in the same boot, it writes
// and syncs again what that run may have left in the page cache, which no boot of a node does. So
// the benchmark runs in a mount namespace in which the kernel's boot id is a file of the benchmark.

const (
	kernelBootID = "/proc/sys/kernel/random/boot_id"
	isolatedEnv  = "EDGED_BENCH_ISOLATED"
)

// isolate runs this program again in a mount namespace of its own and returns its exit code.
func isolate(args []string) (exit int, err error) {
	err = reexec(args, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS})
	if errors.Is(err, syscall.EPERM) { // not root: also in a user namespace
		err = reexec(args, &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		})
	}
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return failed.ExitCode(), nil
	}
	if err != nil {
		return 1, fmt.Errorf("make a mount namespace for the boot ids: %w; run as root, or allow user namespaces", err)
	}
	return 0, nil
}

func reexec(args []string, attr *syscall.SysProcAttr) error {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), isolatedEnv+"=1")
	cmd.SysProcAttr = attr
	return cmd.Run()
}

// ownBoots mounts a file of this run over the kernel's boot id, in this namespace.
func (b *bench) ownBoots() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &os.PathError{Op: "make private", Path: "/", Err: err}
	}
	b.bootID = filepath.Join(b.dir, "boot_id")
	if err := b.newBoot(); err != nil {
		return err
	}
	if err := unix.Mount(b.bootID, kernelBootID, "", unix.MS_BIND, ""); err != nil {
		return &os.PathError{Op: "mount a file over", Path: kernelBootID, Err: err}
	}
	return nil
}

// newBoot changes the boot id.
func (b *bench) newBoot() error {
	f, err := os.OpenFile(b.bootID, os.O_WRONLY|os.O_CREATE, 0o644) // the same file each time: it is mounted
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(uuid.NewString()+"\n"), 0)
	return errors.Join(err, f.Close())
}

// boots returns the node's next boots, each with its own boot id.
func (n *node) boots() func(int) (command, error) {
	return func(int) (command, error) { return n.boot(), n.b.newBoot() }
}
