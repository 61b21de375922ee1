package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/cmd/edgectl/internal/salvaging"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/replay"
)

func journalContinue(e *env) *cobra.Command {
	var by act
	var checkpoint string
	cmd := &cobra.Command{
		Use:   "continue --reason TEXT --checkpoint FILE",
		Short: "start a new journal after an older copy of the partition was put back",
		Long: `continue is the way back after a restore from a backup. The journal is whole, but
others have seen records that it no longer has, and will not accept others in
their place.

continue starts a new journal. Its first record, as that of a salvage, names the
old journal with its records and their last hash, carries every floor (epoch,
serial, time, keys), and says which records the checkpoint shows to be lost. The
old journal stays under journal.quarantine-<time>, its records also as
predecessor.jsonl, and the next boot reconstructs from verified material. Status,
explain and every auditor show it as an alert.

--checkpoint names the newest checkpoint that others have signed (edgectl ship
keeps them). A checkpoint whose records are all here is refused: nothing was
lost. So is a damaged journal: that is for journal salvage, which also completes a
continue that was interrupted, if the next boot is refused.`,
		Example: `  edgectl journal continue --reason "disk replaced, backup of 3 May" --checkpoint kept.checkpoint`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if checkpoint == "" {
				return fail("pass --checkpoint FILE: the newest one that others have signed", "continue needs to know what was lost")
			}
			if err := by.check(e); err != nil {
				return err
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			e.warnLogSkipped(root)
			who, err := salvager(by, "")
			if err != nil {
				return err
			}
			judged, err := headNow(root)
			if err != nil {
				return err
			}
			if err := salvaging.Whole(cmd.Context(), root, e.host()); err != nil {
				return err
			}
			if who.Lost, err = lost(cmd, root, checkpoint); err != nil {
				return err
			}
			res, err := salvageInstall(cmd.Context(), root, judged, who)
			if err != nil {
				return fail(insteadOfSalvage(err), "continue: %w", err)
			}
			if e.json {
				return writeJSON(e.stdout, res)
			}
			return res.print(e)
		},
	}
	by.flags(cmd)
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "the newest checkpoint that others have signed")
	e.jsonFlag(cmd)
	return cmd
}

// lost returns what a checkpoint shows to be lost, in words.
func lost(cmd *cobra.Command, root, file string) (string, error) {
	src, err := history.Open(root)
	if err != nil {
		return "", err
	}
	defer src.Close() //nolint:errcheck // read-only
	c, _, err := readCheckpoint(src, sealing{checkpoint: file})
	if err != nil {
		return "", err
	}
	shows := fmt.Sprintf("%s%s with root %s", replay.LostByCheckpoint, records(c.Size), c.Root)
	tip := src.Tip().Seq
	switch {
	case c.Size == tip+1:
		return fmt.Sprintf("record %d, %s", c.Size, shows), nil
	case c.Size > tip:
		return fmt.Sprintf("records %d to %d, %s", tip+1, c.Size, shows), nil
	}
	same, err := matches(cmd, src, c)
	if err == nil && same {
		err = fail("nothing is to be continued: ship again, or name a newer checkpoint", "%s is over records 1 to %d, and all of them are here", file, c.Size)
	}
	return "records up to " + fmt.Sprint(c.Size) + ", in whose place are others, " + shows, err
}

// matches reports whether a checkpoint is over the first records of a history.
func matches(cmd *cobra.Command, src *history.Source, c transparency.Checkpoint) (bool, error) {
	tree, err := transparency.Build(cmd.Context(), src, c.Size, nil)
	if err != nil {
		return false, wrong(err)
	}
	return tree.Checkpoint() == c, nil
}
