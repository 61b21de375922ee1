package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/machine"
)

func clockCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "the time floor below which the gate does not use the clock",
		Long: `The gate never uses a time that is earlier than the newest journaled time of a
boot that passed. A boot that passed with a clock far in the future leaves a
floor that certificates and manifests cannot satisfy.`,
		Example: `  edgectl clock reset --reason "the clock ran away on 3 March"`,
	}
	cmd.AddCommand(clockReset(e))
	return cmd
}

func clockReset(e *env) *cobra.Command {
	var (
		by act
		to string
	)
	cmd := &cobra.Command{
		Use:   "reset --reason TEXT",
		Short: "lower the time floor to the clock of now",
		Long: `reset journals a new, lower time floor: the wall clock of now, or --to. It can
only lower it: time that has passed raises it by itself.`,
		Example: `  edgectl clock reset --reason "the clock ran away"
  edgectl clock reset --to 2026-03-04T00:00:00Z --reason "the clock ran away"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := by.check(e); err != nil {
				return err
			}
			floor := time.Now().UTC()
			if to != "" {
				var err error
				if floor, err = parseInstant("--to", to); err != nil {
					return err
				}
			}
			event, _, err := e.operate(cmd, func(s machine.State) (machine.Payload, error) {
				old := s.TimeFloor("")
				if !floor.Before(old) {
					return nil, fail("set the clock if it is wrong; nothing has to be reset", "the floor is %s, not above %s", old.Format(time.RFC3339), floor.Format(time.RFC3339))
				}
				return machine.ClockReset{V: 1, By: by.by, Reason: by.reason, Old: old, New: floor}, nil
			})
			if err != nil {
				return err
			}
			return e.printAppended(event, "the time floor is "+floor.Format(time.RFC3339))
		},
	}
	by.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "the new floor: RFC 3339 or a date (default: now)")
	e.jsonFlag(cmd)
	return cmd
}
