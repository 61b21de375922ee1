package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/hub"
)

// policyFlags are the flags of a hub.Policy.
type policyFlags struct {
	behind, silent time.Duration
	inventory      string
}

func (p *policyFlags) flags(cmd *cobra.Command) {
	d := hub.DefaultPolicy()
	cmd.Flags().DurationVar(&p.behind, "behind", d.Behind, "a node that has not shipped for so long is behind")
	cmd.Flags().DurationVar(&p.silent, "silent", d.Silent, "a node that has not shipped for so long is silent")
	cmd.Flags().StringVar(&p.inventory, "inventory", "", "file with the names of the nodes that there should be, one a line")
}

func (p *policyFlags) policy() (hub.Policy, error) {
	out := hub.Policy{Behind: p.behind, Silent: p.silent}
	if p.inventory == "" {
		return out, nil
	}
	found, err := names(p.inventory)
	if err != nil {
		return out, fail("name a file with one name of a node a line", "the inventory: %w", err)
	}
	out.Inventory = found
	return out, nil
}

func statusCommand(e *env) *cobra.Command {
	var p policyFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "say which nodes may be trusted, and why",
		Long: `status counts the nodes by their state, and names each one that somebody has to look
at, with the reason. It needs the store alone. It verifies nothing: edgehub verify does.

Exit status: 0 every node is alive or only behind, 1 somebody has to look, 2 it could not be
done.`,
		Example: `  edgehub status --store /srv/edgehub --inventory nodes.txt
  edgehub status --store s3://fleet/edgehub --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := p.policy()
			if err != nil {
				return err
			}
			store, err := e.read(cmd.Context())
			if err != nil {
				return err
			}
			fleet, err := hub.ReadFleet(cmd.Context(), store, policy)
			if err != nil {
				return err
			}
			if e.json {
				err = e.print(fleet)
			} else {
				err = e.printFleet(fleet)
			}
			if err != nil {
				return err
			}
			if fleet.Alerts() > 0 || fleet.Stopped != "" {
				return errWrong
			}
			return nil
		},
	}
	p.flags(cmd)
	e.jsonFlag(cmd)
	return cmd
}

func (e *env) printFleet(f hub.Fleet) error {
	var b strings.Builder
	if f.Stopped != "" {
		fmt.Fprintf(&b, "STOPPED: %s\n", f.Stopped)
	}
	fmt.Fprintf(&b, "%s, %s\n", display.Count(len(f.Nodes), "node"), display.Count(int(f.Records), "record")) //nolint:gosec // below 2^63
	for _, s := range hub.States() {
		if n := f.Counts[s]; n > 0 {
			fmt.Fprintf(&b, "%7d %s\n", n, word(s))
		}
	}
	for _, n := range f.Worst() {
		if !n.State.Alert() {
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", n.Name, word(n.State))
		for i, reason := range n.Reasons {
			fmt.Fprintf(&b, "  %s: %s\n", word(n.States[i]), display.Clean(reason))
		}
		if n.Journal != "" {
			fmt.Fprintf(&b, "  journal %s, %s, last seen %s\n", n.Journal, display.Count(int(n.Records), "record"), n.Seen.Format(time.RFC3339)) //nolint:gosec // below 2^63
		}
	}
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}

// word returns a state as a word.
func word(s hub.State) string { return strings.ReplaceAll(string(s), "_", " ") }
