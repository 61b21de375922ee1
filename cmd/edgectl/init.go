package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/nodeinit"
	"github.com/autonomyops/edged/internal/stateroot"
)

// initialised is what init prints as JSON.
type initialised struct {
	*nodeinit.Result
	Next string `json:"next"`
}

func initCommand(e *env) *cobra.Command {
	var opt nodeinit.Options
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "create a state root: directories, a commented config, the checkpoint key",
		Long: `init lays out a state root and adds what is missing to an existing one. It
never overwrites: each file is reported as created, kept, or skipped with the
reason. --demo also makes TLS material, manifest keys and an empty signed
manifest, so that the very next command is edged precheck. Otherwise each thing
that the node still needs is named with the command that brings it; a word in
capital letters is a placeholder for a file of yours.

The checkpoint key (identity/journal-sign.key) is named after the node. The
origin of the checkpoints it signs is edged/<journal id>, which the first
record fixes.`,
		Example: `  edgectl init /persist/edge --node tutorial-node-01
  edgectl init ./demo --demo`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := nodeinit.Init(cmd.Context(), args[0], opt)
			if err != nil {
				return err
			}
			if !opt.Demo {
				res.Missing = append(e.missingConfig(res.StateRoot), res.Missing...)
			}
			out := initialised{res, nextAfterInit(res, opt.Demo)}
			if e.json {
				return writeJSON(e.stdout, out)
			}
			if err := printInit(e.stdout, out); err != nil {
				return err
			}
			if res.SkipMountCheck {
				fmt.Fprintf(e.stderr, "edgectl: without %s=1 the gate refuses %s: %s\n", stateroot.EnvSkipMountCheck, res.StateRoot, res.Why)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Node, "node", "", "the node's edge_domain_id (default: the host's name)")
	f.BoolVar(&opt.Demo, "demo", false, "also make TLS material, manifest keys and an empty signed manifest")
	e.jsonFlag(cmd)
	return cmd
}

// missingConfig returns the gate's config, if its usual place has no file.
func (e *env) missingConfig(root string) []nodeinit.Missing {
	path := filepath.Join(e.system, usualConfig)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return []nodeinit.Missing{{What: "the config of the gate", Path: path,
		Command: display.Command("install", "-D", "-m", "640", filepath.Join(root, stateroot.NodeConfig), path)}}
}

// nextAfterInit is the command to run once nothing is missing.
func nextAfterInit(r *nodeinit.Result, demo bool) string {
	words := []string{"edged", "--config", filepath.Join(r.StateRoot, stateroot.NodeConfig), "precheck"}
	if !demo {
		words = append(words, "--dry-run")
	}
	command := display.Command(words...)
	if r.SkipMountCheck {
		command = stateroot.EnvSkipMountCheck + "=1 " + command
	}
	return command
}

func printInit(w io.Writer, r initialised) error {
	var b strings.Builder
	width := 0
	for _, item := range r.Items {
		width = max(width, len(item.Path))
	}
	for _, item := range r.Items {
		line := fmt.Sprintf("%-8s %-*s  %s", item.Action, width, item.Path, item.Note)
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	fmt.Fprintf(&b, "node %s, state root %s\n", r.Node, r.StateRoot)
	for _, m := range r.Missing {
		fmt.Fprintf(&b, "next: %s is missing: %s\n", m.What, m.Command)
	}
	fmt.Fprintf(&b, "next: %s\n", r.Next)
	_, err := io.WriteString(w, b.String())
	return err
}
