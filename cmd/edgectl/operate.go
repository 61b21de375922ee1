package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/machine"
)

// act is what every command that appends to the journal asks for: who, and why.
type act struct {
	by, reason string
}

func (a *act) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.by, "by", "", "who asks for it, as the journal will name them (default: you)")
	cmd.Flags().StringVar(&a.reason, "reason", "", "why: the journal keeps it for investigators and auditors")
}

// check fills in who and insists on why.
func (a *act) check(e *env) error {
	if a.reason = strings.TrimSpace(a.reason); a.reason == "" {
		return fail("say why with --reason; the journal keeps it", "a reason is missing")
	}
	if len(a.reason) > 1000 {
		return fail("say it in 1000 bytes", "the reason has %d bytes", len(a.reason))
	}
	if a.by != "" {
		return nil
	}
	if a.by = e.getenv("SUDO_USER"); a.by == "" {
		a.by = "unknown"
		if u, err := user.Current(); err == nil {
			a.by = u.Username
		}
	}
	return nil
}

// operate appends one event under the gate's lock. It returns the state root.
func (e *env) operate(cmd *cobra.Command, decide func(machine.State) (machine.Payload, error)) (machine.Event, string, error) {
	root, err := e.root()
	if err != nil {
		return machine.Event{}, "", err
	}
	event, err := gate.Operate(cmd.Context(), root, e.operator(), decide)
	return event, root, operateError(root, err)
}

// operateError says what to do about an error of an operator's action.
func operateError(root string, err error) error {
	var failed *gate.Failure
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &failed):
		path := failed.Path
		if path != "" && !filepath.IsAbs(path) {
			path = filepath.Join(root, path)
		}
		return fail(failed.Next, "%s: path=%s: %s", failed.Short(), path, failed.Reason())
	case errors.Is(err, gate.ErrNoHistory):
		return fail("run edged precheck first", "%s: %w", root, err)
	}
	return err
}

// host is the running system, with the environment of the command.
func (e *env) host() gate.Host {
	host := gate.LinuxHost()
	host.Getenv = e.getenv
	return host
}

// operator is host for an operator's action: the gate's warnings are printed.
func (e *env) operator() gate.Host {
	host := e.host()
	log := slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	host.Logger = func(string) *slog.Logger { return log }
	return host
}

// journaled is what these commands print as JSON.
type journaled struct {
	Journal string          `json:"journal"`
	Seq     uint64          `json:"seq"`
	Type    machine.Kind    `json:"type"`
	Data    machine.Payload `json:"data"`
}

func newJournaled(event machine.Event) journaled {
	return journaled{event.Journal, event.Seq, event.Meta.Kind, event.Payload}
}

// printAppended prints the event that was appended, and what it leads to.
func (e *env) printAppended(event machine.Event, leads string) error {
	if e.json {
		return writeJSON(e.stdout, newJournaled(event))
	}
	_, err := fmt.Fprintf(e.stdout, "journaled record %d: %s\n%s\n", event.Seq, event.Meta.Kind, leads)
	return err
}
