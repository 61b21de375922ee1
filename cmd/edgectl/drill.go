package main

import (
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/doctor"
	"github.com/autonomyops/edged/internal/gate"
)

func drillCommand(e *env) *cobra.Command {
	var (
		by     act
		cancel bool
	)
	cmd := &cobra.Command{
		Use:   "drill --reason TEXT",
		Short: "have the next boot exercise the whole reconstruction",
		Long: `drill journals a request that the next precheck answers with a whole
reconstruction on a healthy node: verify, apply, advance the epoch. It is
refused unless manifest, signature, key and operations would pass now.`,
		Example: `  edgectl drill --reason "quarterly exercise"
  edgectl drill --cancel --reason "wrong node"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := by.check(e); err != nil {
				return err
			}
			decide := gate.CancelDrill(by.by, by.reason)
			if !cancel {
				opt, err := e.examined()
				if err != nil {
					return err
				}
				if decide, err = doctor.Drill(cmd.Context(), opt, by.by, by.reason); err != nil {
					return err
				}
			}
			event, _, err := e.operate(cmd, decide)
			if err != nil {
				return err
			}
			if cancel {
				return e.printAppended(event, "the next boot is an ordinary one")
			}
			return e.printAppended(event, "the next precheck reconstructs; the epoch advances by one")
		},
	}
	by.flags(cmd)
	cmd.Flags().BoolVar(&cancel, "cancel", false, "withdraw a drill that no boot has answered yet")
	e.jsonFlag(cmd)
	return cmd
}
