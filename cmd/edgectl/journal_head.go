package main

import (
	"github.com/spf13/cobra"
)

// head is what identifies a whole history.
type head struct {
	Journal string `json:"journal"`
	Seq     uint64 `json:"seq"`
	Hash    string `json:"hash"`
}

func journalHead(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "head",
		Short: "print the journal's id and its newest record's seq and hash",
		Long: `head prints {"journal","seq","hash"}, with or without --json. Keep it off
the node: it shows later whether the history was rewritten or cut short.`,
		Example: "  edgectl journal head --state-root /persist/edge",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			tip := src.Tip()
			return e.writeRead(head{Journal: src.ID(), Seq: tip.Seq, Hash: tip.Hash.String()})
		},
	}
	e.jsonFlag(cmd)
	return cmd
}
