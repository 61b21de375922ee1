package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/doctor"
	"github.com/autonomyops/edged/internal/status"
)

func statusCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "describe the node on one screen",
		Long: `status shows the node, its epoch, how and when the last boot ended, what changed
at the last update, whether the files agree with the journal, the keys in force,
what the certificates and the disk have left, and the newest failure, also one
that could not be journaled. It makes the checks of doctor, but for the
verification of the whole journal. What cannot be known is shown as unknown. It
changes nothing.

Exit status: 0 healthy, 1 something is wrong (each PROBLEM line says what), 2
there is no node here.`,
		Example: `  edgectl status --state-root /persist/edge
  edgectl status --json | jq -r '.problems[]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.status(cmd.Context())
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

// status is that of the node that is meant.
func (e *env) status(ctx context.Context) (status.Status, error) {
	path, err := e.evidence()
	if err != nil {
		return status.Status{}, err
	}
	return status.Read(path, e.logSkipped, func() (*doctor.Report, error) {
		e.target.stateRoot = cmp.Or(e.target.journal, e.target.stateRoot)
		opt, err := e.examined()
		if err != nil {
			return nil, err
		}
		opt.LogSkipped = e.logSkipped
		return doctor.Examine(ctx, opt)
	})
}
