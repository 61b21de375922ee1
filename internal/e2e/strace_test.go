package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// injection is what strace does to one system call of the gate.
type injection struct {
	syscall string
	what    string // in strace's syntax: signal=KILL, error=EIO
	when    string // the number of the call in its thread; "5+": from the fifth on
}

func (i injection) String() string { return i.syscall + " " + i.what + " when=" + i.when }

// outcome describes the end of a boot under strace.
type outcome struct {
	hit  bool // the fault hit a call
	exit int  // 137: killed
	logs string
	// muted: the fault hit a write to standard error, so a line of the logs is missing.
	muted bool
	// broken: strace itself failed, as it sometimes does if a thread ends while it
	// looks. That proves nothing about the gate.
	broken bool
}

// muted reports whether the fault hit a write to standard error. strace writes a call in two lines
// if another thread's call comes between:
//
//	23430 write(2, "level=ERROR"..., 80 <unfinished ...>
//	23430 <... write resumed>) = -1 EIO (Input/output error) (INJECTED)
func muted(trace string) bool {
	unfinished := map[string]string{}
	for line := range strings.Lines(trace) {
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		if strings.HasSuffix(call, "<unfinished ...>") {
			unfinished[thread] = call
		}
		if strings.HasPrefix(call, "<... ") {
			call = unfinished[thread] + call
		}
		if strings.HasPrefix(call, "write(2,") && strings.Contains(call, "(INJECTED)") {
			return true
		}
	}
	return false
}

// inject boots under strace with the fault.
func (h *host) inject(kernel string, i injection) outcome {
	h.T.Helper()
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	trace := filepath.Join(h.Dir, "trace")
	// Without --seccomp-bpf, under which strace 6.1 loses most of the signals.
	args := append(strings.Fields(kernel), "strace", "-f", "-qq", "-o", trace, "-e", "trace="+i.syscall,
		"-e", "inject="+i.syscall+":"+i.what+":when="+i.when, "edged", "precheck")
	path := args[0]
	for _, dir := range filepath.SplitList(h.path()) {
		if found := filepath.Join(dir, args[0]); isFile(found) {
			path = found
			break
		}
	}
	cmd := exec.CommandContext(ctx, path, args[1:]...)
	cmd.Env, cmd.Dir = h.Env, h.Dir
	var errs strings.Builder
	cmd.Stderr = &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		h.T.Fatalf("%s: the boot does not end within %v\n%s", i, patience, errs.String())
	}
	var failed *exec.ExitError
	exit := 0
	switch {
	case errors.As(err, &failed) && failed.ExitCode() < 0:
		exit = 137 // strace ends by the same signal as its tracee
	case errors.As(err, &failed):
		exit = failed.ExitCode()
	case err != nil:
		h.T.Fatal(err)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		h.T.Fatal(err)
	}
	return outcome{
		hit:    exit == 137 || strings.Contains(string(text), "(INJECTED)"),
		exit:   exit,
		logs:   errs.String(),
		muted:  muted(string(text)),
		broken: strings.Contains("\n"+errs.String(), "\nstrace: ptrace("),
	}
}

// path returns the PATH of commands: the last one that is set.
func (h *host) path() (path string) {
	for _, e := range h.Env {
		if p, ok := strings.CutPrefix(e, "PATH="); ok {
			path = p
		}
	}
	return path
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// sweep is a kind of system call with the faults that are injected into it, at every step-th of its
// calls.
type sweep struct {
	syscall string
	step    int
	what    []string
}

const (
	kill = "signal=KILL"
	eio  = "error=EIO"
	full = "error=ENOSPC"
)

// sweeps returns the system calls through which the gate changes the disk, at each call, and those
// through which it reads, at every fifth.
func sweeps() []sweep {
	return []sweep{
		{"fdatasync", 1, []string{kill, eio}},
		{"fsync", 1, []string{kill, eio, full}},
		{"write", 2, []string{kill, eio, full}},
		{"pwrite64", 1, []string{kill, eio, full}},
		{"renameat", 1, []string{kill, eio, full}},
		{"unlinkat", 2, []string{kill, eio}},
		{"mkdirat", 1, []string{kill, eio, full}},
		{"fallocate", 1, []string{kill, full}},
		{"fchmod", 1, []string{kill, eio}},
		{"ftruncate", 1, []string{kill, eio}},
		{"openat2", 5, []string{kill, eio, full}},
		{"openat", 5, []string{kill, eio}},
		{"newfstatat", 5, []string{kill, eio}},
		{"getdents64", 3, []string{kill, eio}},
		{"pread64", 5, []string{kill, eio}},
		{"read", 5, []string{kill, eio}},
		{"close", 5, []string{kill, eio}},
	}
}

// TestE2E_CrashInjected kills the real gate, and fails its system calls, one after the other until
// none is left. strace counts the calls of each thread, and Go's threads share them: one number may hit
// several calls or none, so a sweep ends when two numbers in a row hit none.
func TestE2E_CrashInjected(t *testing.T) {
	var injected atomic.Int64
	t.Run("boots", func(t *testing.T) {
		for _, c := range bootCases() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				f := newFaulted(t, c)
				for _, s := range sweeps() {
					for _, what := range s.what {
						f.sweep(s, what)
					}
				}
				f.persistent()
				t.Logf("%d faults injected", f.injected)
				injected.Add(int64(f.injected))
			})
		}
	})
	t.Logf("%d faults injected into the real binary", injected.Load())
}

func (f *faulted) sweep(s sweep, what string) {
	f.T.Helper()
	step := s.step
	if os.Getenv("EDGED_CRASH") == "full" {
		step = 1
	}
	for when, misses := 1, 0; misses < 2; when += step {
		if f.survives(injection{s.syscall, what, fmt.Sprint(when)}) {
			misses = 0
		} else {
			misses++
		}
	}
}

// persistent makes every call fail from some call on. The boot may then end with an exit code of the
// table; the next boot, without the fault, must succeed.
func (f *faulted) persistent() {
	f.T.Helper()
	for _, call := range []string{"fdatasync", "fsync", "pwrite64", "openat2"} {
		for _, what := range []string{eio, full} {
			for _, when := range []string{"1+", "2+", "4+", "7+"} {
				f.survives(injection{call, what, when})
			}
		}
	}
}
