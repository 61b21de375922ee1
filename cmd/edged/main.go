// Command edged is the boot gate of an edge node. `edged precheck` runs first
// at every boot and decides whether the mission runtime may start.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/logging"
)

// gcPercent keeps the collector out of an ordinary boot, whose heap stays below
// 16 MiB: a collection is about a twentieth of the boot's time.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	// A reader of standard error that is gone must not end a reconstruction.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, logging.NewConsole(os.Stderr, os.Getenv("JOURNAL_STREAM"))))
}

// exitCode carries a command's exit code through cobra; the command has said
// why by itself.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// run is main without the process: it returns the exit code.
func run(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cmd := root(getenv, stdout, stderr)
	cmd.SetArgs(args)
	err := cmd.Execute()
	var code exitCode
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE): // a reader of standard output has seen enough
		return gate.ExitOK
	case errors.As(err, &code):
		return int(code)
	}
	text := fmt.Sprintf("edged: %v\n", err)
	if advised := (*errs.Advised)(nil); errors.As(err, &advised) {
		text += "  next: " + advised.Next + "\n"
	}
	logging.Plain(stderr, slog.LevelError, text+"Run 'edged --help' for usage.\n")
	if f := withdrawReady(cmd, args); f != nil {
		logging.Plain(stderr, slog.LevelError, fmt.Sprintf("edged: %v\n", f))
		return f.Exit
	}
	return gate.ExitConfig
}

func root(getenv func(string) string, stdout, stderr io.Writer) *cobra.Command {
	var g globals
	cmd := &cobra.Command{
		Use:   "edged",
		Short: "the boot gate of an edge node",
		Long: `edged is the boot gate of an edge node: it detects that the operating system
was replaced, verifies the signed runtime manifest, restores the mission
runtime, and refuses to let it start otherwise.

Inspecting, signing and exporting is edgectl's.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_ = cmd.Help()
			return exitCode(gate.ExitConfig)
		},
	}
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	f := cmd.PersistentFlags()
	f.StringVar(&g.config, "config", "", "the node's config (default $EDGE_CONFIG)")
	f.StringVar(&g.logLevel, "log-level", "", "debug, info, warn or error (default: metrics.log_level of the config)")
	f.StringVar(&g.logFormat, "log-format", "auto", "auto, logfmt, json or pretty")
	commandline.CompleteFlag(cmd, "log-level", logging.Levels...)
	commandline.CompleteFlag(cmd, "log-format", logging.Formats...)
	cmd.AddCommand(precheck(&g, getenv, stdout, stderr))
	commandline.Prepare(cmd)
	return cmd
}
