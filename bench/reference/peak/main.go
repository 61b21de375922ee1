// Peak runs a command and prints the peak of its resident memory in KiB and its CPU time in seconds on standard
// output. It must be small itself, because the kernel counts the parent's memory at the moment of the exec as the
// child's.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := cmd.ProcessState
	fmt.Println(s.SysUsage().(*syscall.Rusage).Maxrss, (s.UserTime() + s.SystemTime()).Seconds())
}
