package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/buildinfo"
	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/logging"
)

// globals are the flags of every command.
type globals struct {
	config, logLevel, logFormat string
}

func precheck(g *globals, getenv func(string) string, stdout, stderr io.Writer) *cobra.Command {
	var opt gate.Options
	cmd := &cobra.Command{
		Use:   "precheck",
		Short: "run the gate: exit 0 lets the mission runtime start",
		Long: `precheck runs first at every boot. Exit codes:

  0  clean: first run, fingerprint match, or reconstruction succeeded
  1  config or command line
  2  state root or journal
  3  TLS certificate
  5  live fingerprint or reconstruction: edged MUST NOT start`,
		Example: `  edged precheck --config /etc/edged/config.yaml
  edged precheck --dry-run --log-format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("rotation-valid-days") && opt.RotationValidDays < 1 {
				return fmt.Errorf("--rotation-valid-days is %d: it must be at least 1", opt.RotationValidDays)
			}
			if cmd.Flags().Changed("ready-file") && !filepath.IsAbs(opt.ReadyFile) {
				return fmt.Errorf("--ready-file %q: the path must be absolute", opt.ReadyFile)
			}
			if cmd.Flags().Changed("config") && g.config == "" {
				return errors.New("--config is empty: name the node's config, or leave the flag out for $EDGE_CONFIG")
			}
			log, err := logger(g, getenv, stderr)
			if err != nil {
				return err
			}
			opt.ConfigPath, opt.JSON = g.config, g.logFormat == "json"
			opt.Software, opt.BuildTime = buildinfo.Software("edged"), buildinfo.Time()
			host := gate.LinuxHost()
			host.Getenv, host.Stdout, host.Logger = getenv, stdout, log
			if console, ok := stderr.(*logging.Console); ok {
				host.Annotate = console.Annotate
			}
			if code := gate.Run(cmd.Context(), opt, host); code != gate.ExitOK {
				return exitCode(code)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opt.DryRun, "dry-run", false, "write nothing, print what would be done, exit as the real run would")
	f.BoolVar(&opt.VerifyRuntime, "verify-runtime", false, "reconstruct when what the last epoch installed is no longer there as installed")
	f.BoolVar(&opt.RotateCerts, "rotate-certs", false, "re-issue the node certificate before it is checked")
	f.IntVar(&opt.RotationValidDays, "rotation-valid-days", gate.DefaultRotationValidDays, "validity of a re-issued certificate in days")
	f.StringVar(&opt.ReadyFile, "ready-file", "", "removed at the start, written only on exit 0")
	return cmd
}

// logger checks the flags and returns the gate's logger: the config's level
// holds unless --log-level is given.
func logger(g *globals, getenv func(string) string, stderr io.Writer) (func(string) *slog.Logger, error) {
	level, err := logging.Level(g.logLevel)
	if err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	var threshold slog.LevelVar
	threshold.Set(level)
	log, err := logging.New(stderr, g.logFormat, &threshold, getenv("NO_COLOR") != "" || getenv("TERM") == "dumb")
	if err != nil {
		return nil, fmt.Errorf("--log-format: %w", err)
	}
	return func(configured string) *slog.Logger {
		if g.logLevel == "" {
			if level, err := logging.Level(configured); err == nil {
				threshold.Set(level)
			}
		}
		return log
	}, nil
}
