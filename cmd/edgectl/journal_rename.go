package main

import (
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/config"
	"github.com/autonomyops/edged/machine"
)

func journalRename(e *env) *cobra.Command {
	var by act
	cmd := &cobra.Command{
		Use:   "rename-node NAME --reason TEXT",
		Short: "journal that the node has another name now",
		Long: `The gate refuses a journal of another node. rename-node journals that this
node's identity.edge_domain_id is NAME from now on.`,
		Example: `  edgectl journal rename-node depot-7 --reason "moved from depot 4"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := by.check(e); err != nil {
				return err
			}
			if err := config.CheckDomainID(args[0]); err != nil {
				return fail("take 1 to 128 of A-Z a-z 0-9 . _ -", "%q: %w", args[0], err)
			}
			event, _, err := e.operate(cmd, func(s machine.State) (machine.Payload, error) {
				if s.Node == args[0] {
					return nil, fail("nothing has to be done", "the node is called %s already", args[0])
				}
				return machine.NodeRenamed{V: 1, By: by.by, Reason: by.reason, Old: s.Node, New: args[0]}, nil
			})
			if err != nil {
				return err
			}
			return e.printAppended(event, "set identity.edge_domain_id to "+args[0]+" in the config before the next boot")
		},
	}
	by.flags(cmd)
	e.jsonFlag(cmd)
	return cmd
}
