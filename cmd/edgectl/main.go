// Command edgectl is the tool of the people around the boot gate: operators,
// investigators, auditors. Each verb is one file here; what it does is in the
// packages it calls.
//
// Results go to standard output, everything else to standard error. Exit
// status: 0 done and healthy, 1 the check found something wrong, 2 it could
// not be done. A command that a signal interrupts ends by that signal.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/internal/durable/mountinfo"
	"github.com/autonomyops/edged/internal/errs"
)

func main() {
	// A signal first cancels the command's context, so that it can remove what
	// it has half written; a second one ends the process at once. A write to a
	// closed standard output or error raises SIGPIPE, which is left to end the
	// process.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var caught atomic.Pointer[syscall.Signal]
	signals := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup leaves it
			signal.Notify(signals, s)
		}
	}
	go func() {
		if s, ok := (<-signals).(syscall.Signal); ok {
			caught.Store(&s)
			signal.Stop(signals)
			cancel()
		}
	}()
	code := run(&env{ctx: ctx, getenv: os.Getenv, mounts: mounts, stdout: os.Stdout, stderr: os.Stderr}, os.Args[1:])
	if s := caught.Load(); s != nil && code == exitNot {
		signal.Reset(*s)
		_ = syscall.Kill(os.Getpid(), *s) // what started this process sees which signal it was
		select {}
	}
	os.Exit(code)
}

// Exit codes.
const (
	exitOK    = 0
	exitWrong = 1 // the check found something wrong
	exitNot   = 2 // it could not be done
)

// errWrong ends a command whose check found something wrong. The command has
// said what by itself.
var errWrong = errors.New("the check found something wrong")

// mounts returns what is mounted. Without a /proc that is not known.
func mounts() []mountinfo.Mount {
	all, err := mountinfo.Read()
	if err != nil {
		return nil
	}
	return all
}

// run is main without the process: it returns the exit code.
func run(e *env, args []string) int {
	defer e.watch()()
	defer e.removeFetched()
	e.system = cmp.Or(e.system, "/")
	cmd := root(e)
	cmd.SetArgs(args)
	called, err := cmd.ExecuteContextC(e.ctx)
	switch {
	case errors.Is(err, errWrong):
		return exitWrong
	case err == nil:
		return exitOK
	case errors.Is(err, context.Canceled):
		return exitNot
	}
	var rejected *config.Error
	if errors.As(err, &rejected) && len(rejected.Problems) > 0 {
		for _, line := range rejected.Lines() {
			fmt.Fprintf(e.stderr, "edgectl: %s\n", line)
		}
	} else {
		fmt.Fprintf(e.stderr, "edgectl: %s\n", strings.TrimSpace(err.Error()))
	}
	var advised *errs.Advised
	switch {
	case errors.As(err, &advised) && advised.Next != "":
		fmt.Fprintf(e.stderr, "  next: %s\n", advised.Next)
	case e.usage:
		fmt.Fprintf(e.stderr, "Run '%s --help' for usage.\n", called.CommandPath())
	}
	var found *damaged
	if errors.As(err, &found) {
		return exitWrong
	}
	return exitNot
}

// env is what a command has of the process.
type env struct {
	ctx            context.Context // it ends when the command is interrupted
	getenv         func(string) string
	mounts         func() []mountinfo.Mount
	stdout, stderr io.Writer
	columns        int // of standard output if it is a terminal, 0 otherwise
	progress       progress
	system         string // the system's root directory
	target         target
	reported       string // the config that was found, and reported
	json           bool
	logSkipped     string // see history.LogSkipped
	damage         error  // of the history that was opened; it was reported
	fetched        []string
	usage          bool // the command line itself is at fault: no command has begun
}

func fail(next, format string, args ...any) error { return errs.Advise(next, format, args...) }

func root(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edgectl",
		Short: "inspect, sign and verify what an edge node's boot gate relies on",
		Long: `edgectl is the tool of the people around the boot gate of an edge node:
operators, investigators, auditors.

Every command takes --state-root DIR (or --config FILE, or EDGE_STATE_ROOT, or
EDGE_CONFIG), before or after its name. If none of them is given it uses
/etc/edged/config.yaml, and says so. Exit status: 0 done and healthy, 1 the check found
something wrong, 2 it could not be done. A command that a signal interrupts ends
by that signal.`,
		Example: `  edgectl init /persist/edge --demo
  edgectl journal log --state-root /persist/edge
  edgectl journal verify --deep --json`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := noneEmpty(cmd, args); err != nil {
				return err
			}
			e.usage = false
			e.progress.begin(strings.TrimPrefix(cmd.CommandPath(), "edgectl "))
			return nil
		},
	}
	e.usage = true
	cmd.SetOut(e.stdout)
	cmd.SetErr(e.stderr)
	e.target.flags(cmd.PersistentFlags())
	cmd.AddCommand(initCommand(e), keyCommand(e), manifestCommand(e), journalCommand(e), replayCommand(e), drillCommand(e), clockCommand(e), statusCommand(e), doctorCommand(e), metricsCommand(e), configCommand(e), projectionsCommand(e), auditCommand(e), reportCommand(e), shipCommand(e))
	commandline.Prepare(cmd)
	return cmd
}

// noneEmpty refuses an empty value on the command line: it is a variable that
// was never set. If it meant "not given", the command would do something else
// than was asked for. Completion passes what is still being typed.
func noneEmpty(cmd *cobra.Command, args []string) (err error) {
	if cmd.DisableFlagParsing {
		return nil
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if err == nil && (len(values) == 0 || slices.Contains(values, "")) {
			err = fail("set a value, or leave it out", "--%s has an empty value", f.Name)
		}
	})
	if i := slices.Index(args, ""); err == nil && i >= 0 {
		err = fail("set a value; is a variable unset?", "argument %d is empty", i+1)
	}
	return err
}

// jsonFlag adds --json to a command.
func (e *env) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&e.json, "json", false, "print the result as JSON")
}
