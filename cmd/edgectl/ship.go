package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// shipped is the result of ship, as it is printed.
type shipped struct {
	Journal   string                `json:"journal"`
	Tree      transparency.TreeHead `json:"tree"`
	Witnesses []ship.Result         `json:"witnesses"`
	Hub       *ship.Result          `json:"hub"` // null if none is configured
}

func shipCommand(e *env) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "ship",
		Short: "show the journal to witnesses and a hub, and keep what they sign",
		Long: `ship signs a checkpoint of every acknowledged record and sends it to the
witnesses that /etc/edged/ship.yaml names, each with a proof that the history
which it knows only grew. A hub also gets the records that it lacks. Each that agrees
signs the checkpoint too; it is kept in the directory of checkpoints, as
JOURNAL.SIZE.checkpoint.

A witness that remembers another history, or more records, is a finding: the
history was written again, or an older copy of the partition was put back. What a
witness says of sizes is not signed; compare with a checkpoint that it signed
before (edgectl audit verify --since). A witness that cannot be reached changes
nothing: the next run sends what it lacks.

Exit status: 0 all witnesses have signed, 1 one contradicts, 2 one did not sign.`,
		Example: `  edgectl ship --state-root /persist/edge
  edgectl ship --ship-config ship.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				file = filepath.Join(e.system, ship.ConfigPath)
			}
			cfg, err := ship.Load(file)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return fail("write one with a directory for checkpoints, and the url and key of a witness or of a hub; operations.md and hub.md has an example", "ship is not configured: %w", err)
			case errors.Is(err, ship.ErrConfig):
				return fail("correct it; operations.md has an example", "%w", err)
			case err != nil:
				return fail("check the file", "read the config of ship: %w", err)
			}
			return e.ship(cmd, cfg)
		},
	}
	cmd.Flags().StringVar(&file, "ship-config", "", "the config (default /"+ship.ConfigPath+")")
	e.jsonFlag(cmd)
	return cmd
}

func (e *env) ship(cmd *cobra.Command, cfg *ship.Config) error {
	src, err := e.openSealed()
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // read-only
	if src.Kind() != history.StateRoot {
		return fail("name the state root of a node", "%s is no state root", src.Path())
	}
	key, err := checkpointKey(src, "")
	if err != nil {
		return err
	}
	tree, _, err := e.commit(cmd, src, sealing{})
	if err != nil {
		return err
	}
	witnesses, hub, err := ship.Ship(cmd.Context(), cfg, tree, ship.Node{Key: key, Rotations: func() ([][]byte, error) { return rotations(src) }})
	switch {
	case errors.Is(err, ship.ErrContradicts):
		return e.rewritten(cfg.Checkpoints, err)
	case errors.Is(err, ship.ErrBusy):
		return fail("wait until it has ended; each sends everything", "%w", err)
	case err != nil:
		return fail("create the directory "+cfg.Checkpoints+", and free space there", "%w", err)
	}
	c := tree.Checkpoint()
	results := witnesses
	if hub != nil {
		results = append(slices.Clone(witnesses), *hub)
	}
	if e.json {
		err = writeJSON(e.stdout, shipped{c.Journal, c.Head(), witnesses, hub})
	} else {
		err = e.printShipped(c, results)
	}
	contradicted, away, stranger, refused := 0, 0, false, hub != nil && hub.Outcome == ship.Stranger
	for i, r := range results {
		switch {
		case r.Contradicts():
			contradicted++
		case r.Outcome != ship.Cosigned:
			away++
			stranger = stranger || i < len(witnesses) && r.Outcome == ship.Stranger
		}
	}
	switch {
	case err != nil:
		return err
	case contradicted > 0:
		fmt.Fprintf(e.stderr, "edgectl: %d of %d contradict what this node says of itself\n  next: keep the disk as it is; edgectl audit verify --since with a checkpoint in %s that they signed shows what differs\n",
			contradicted, len(results), cfg.Checkpoints)
		return errWrong
	case stranger:
		vkey, err := key.Verifier().ForJournal(c.Journal)
		if err != nil {
			return err
		}
		return fail("give the operator of that witness the origin "+transparency.Origin(c.Journal)+" and the key "+vkey, "%d of %d did not sign", away, len(results))
	case refused:
		return fail("the hub says why: the certificate that ship.yaml names must be for this node; of a key that was replaced its operator has to be told (edgehub accept-key)", "%d of %d did not sign", away, len(results))
	case away > 0:
		return fail("nothing is lost: the next run sends what they lack", "%d of %d did not sign", away, len(results))
	}
	return nil
}

// rotations returns the signed notes of all rotations of the checkpoint key, oldest first.
func rotations(src *history.Source) (notes [][]byte, err error) {
	for rec, err := range src.Records(1, src.Tip().Seq) {
		if err != nil {
			return nil, err
		}
		if rec.Type != string(machine.KindKeyRotated) {
			continue
		}
		event, err := replay.Event(rec)
		if err != nil {
			return nil, err
		}
		if p, ok := event.Payload.(machine.KeyRotated); ok && p.Purpose == machine.PurposeCheckpoint {
			notes = append(notes, transparency.Note(p))
		}
	}
	return notes, nil
}

func (e *env) printShipped(c transparency.Checkpoint, results []ship.Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "journal %s: %s\n", c.Journal, records(c.Size))
	for _, r := range results {
		fmt.Fprintf(&b, "%s: %s", display.Clean(r.Witness), strings.ReplaceAll(string(r.Outcome), "_", " "))
		if r.Detail != "" {
			fmt.Fprintf(&b, ": %s", display.Clean(r.Detail))
		}
		if r.Size > 0 {
			fmt.Fprintf(&b, "; has signed %s, %s", records(r.Size), r.Time.Format(time.RFC3339))
		}
		b.WriteByte('\n')
	}
	_, err := e.stdout.Write([]byte(b.String()))
	return err
}
