package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/transparency"
)

func acceptKeyCommand(e *env) *cobra.Command {
	var id, key string
	cmd := &cobra.Command{
		Use:   "accept-key --journal ID --key KEY",
		Short: "accept a checkpoint key that a node uses without a statement of the old one",
		Long: `accept-key is for a node whose checkpoint key was replaced (edgectl key replace
checkpoint): the hub refuses what the new key signs, because anybody could have made
it. Compare the key with the node, on another way than this one: edgectl key show there
prints it. The key before stays in the store.`,
		Example: `  edgehub accept-key --store /srv/edgehub --journal 5c0e7c1f-8a4e-4b39-9d5c-6a1f2e3d4c5b --key depot-07+1a2b3c4d+ARk...`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if id == "" || key == "" {
				return fail("pass both", "accept-key needs --journal ID and --key KEY")
			}
			store, err := e.change(cmd.Context())
			if err != nil {
				return err
			}
			before, err := hub.AcceptKey(cmd.Context(), store, id, key)
			switch {
			case errors.Is(err, transparency.ErrKey):
				return fail("pass the public key, NAME+HASH+KEY, as edgectl key show prints it on the node", "--key: %w", err)
			case err != nil:
				return unknown(err)
			}
			_, err = fmt.Fprintf(e.stdout, "journal %s: %s is accepted, and was %s before\n", id, display.Clean(key), before)
			return err
		},
	}
	cmd.Flags().StringVar(&id, "journal", "", "the journal's id")
	cmd.Flags().StringVar(&key, "key", "", "the node's public checkpoint key")
	return cmd
}

func forgetCommand(e *env) *cobra.Command {
	var id string
	var who author
	cmd := &cobra.Command{
		Use:   "forget --journal ID --reason TEXT",
		Short: "remove the records of a decommissioned node for good",
		Long: `forget removes the records of a journal from the store. What the hub has signed of it
stays: the head with its hashes, every checkpoint and key, and who removed the records
and why. The journal takes no more records. This cannot be undone.`,
		Example: `  edgehub forget --store /srv/edgehub --journal 5c0e7c1f-8a4e-4b39-9d5c-6a1f2e3d4c5b --reason "depot closed, retention is over"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if id == "" {
				return fail("pass --journal ID", "forget needs the id of a journal")
			}
			if err := who.check(e); err != nil {
				return err
			}
			store, err := e.change(cmd.Context())
			if err != nil {
				return err
			}
			n, err := hub.Forget(cmd.Context(), store, id, hub.NewForgotten(who.by, who.reason))
			if err != nil {
				return unknown(err)
			}
			_, err = fmt.Fprintf(e.stdout, "journal %s: its records are removed (%s); head and checkpoints stay\n", id, display.Count(n, "object"))
			return err
		},
	}
	cmd.Flags().StringVar(&id, "journal", "", "the journal's id")
	who.flags(cmd)
	return cmd
}
