package main

import (
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/keychange"
)

// rotateCheckpoint is key rotate checkpoint.
func rotateCheckpoint(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "change the checkpoint key, by a statement that both keys sign",
		Long: `rotate makes a new checkpoint key on the node, which it never leaves, journals a
statement that both keys sign, and puts the new key in place. The journal
leads from the old public key to the new one, so the old one still verifies what
the new one signs.

Run again after an interruption, it completes what was begun.`,
		Example: `  edgectl key rotate checkpoint --state-root /persist/edge`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := e.root()
			if err != nil {
				return err
			}
			change, err := keychange.RotateCheckpoint(e.appendTo(cmd), root)
			return e.changed(change, "", err)
		},
	}
	e.jsonFlag(cmd)
	return cmd
}

// replaceCheckpoint changes the checkpoint key without the old one.
func replaceCheckpoint(e *env) *cobra.Command {
	var by act
	cmd := &cobra.Command{
		Use:   "checkpoint --reason TEXT",
		Short: "break the glass: change the checkpoint key without the old one",
		Long: `replace is for a checkpoint key that is lost, or in the hands of somebody else.
The new one is made on the node. Nothing vouches for it but your word, which the
journal keeps: auditors need its public half from you.`,
		Example: `  edgectl key replace checkpoint --reason "the partition was read by a stranger"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := by.check(e); err != nil {
				return err
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			change, err := keychange.ReplaceCheckpoint(e.appendTo(cmd), root, keychange.Author{By: by.by, Reason: by.reason})
			return e.changed(change, "", err)
		},
	}
	by.flags(cmd)
	e.jsonFlag(cmd)
	return cmd
}
