package main

import (
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/status"
)

func statusCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "tell where the node stands, on one screen",
		Long: `status tells the node, its epoch, what the last boot came to and when, what
changed at the last update, whether the files agree with the journal, the keys
in force, and the newest failure, also one that could not be journaled. What
cannot be known is said to be unknown. It changes nothing.

Exit status: 0 healthy, 1 something is wrong (each PROBLEM line says what), 2
there is no node here to tell of.`,
		Example: `  edgectl status --state-root /persist/edge
  edgectl status --json | jq -r '.problems[]'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path, err := e.evidence()
			if err != nil {
				return err
			}
			s, err := status.Read(path, e.logSkipped)
			if err != nil {
				return err
			}
			if e.json {
				err = writeJSON(e.stdout, s)
			} else {
				err = s.Print(e.stdout)
			}
			if err == nil && !s.Healthy {
				return errWrong
			}
			return err
		},
	}
	e.target.evidenceFlag(cmd.Flags())
	e.jsonFlag(cmd)
	return cmd
}
