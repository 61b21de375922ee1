package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/transparency"
)

// tiled is what journal tiles prints as JSON.
type tiled struct {
	Out     string                `json:"out"`
	Journal string                `json:"journal"`
	Tree    transparency.TreeHead `json:"tree"`
	Written int                   `json:"written"`
	Kept    int                   `json:"kept"`
}

func journalTiles(e *env) *cobra.Command {
	var out string
	var s sealing
	cmd := &cobra.Command{
		Use:   "tiles --out DIR",
		Short: "write the journal as a static tlog-tiles tree",
		Long: `tiles writes the whole journal, its Merkle tree and a signed checkpoint as a
directory of static files in the form of C2SP tlog-tiles: any web server can
serve it, and tools of other transparency logs read it.

A directory that holds an older tree of the same journal is extended; what an
interrupted call left is completed. What is there is compared, and never
replaced: a directory of another history is refused. --checkpoint writes the
tree of a checkpoint that there is already, and needs no private key.`,
		Example: `  edgectl journal tiles --out /srv/logs/node-7
  edgectl journal tiles --out node-7 --journal history.jsonl --checkpoint friday.checkpoint`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return fail("pass --out DIR", "tiles needs a directory to write to")
			}
			src, err := e.openSealed()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			if err := export.Outside(out, src.Path()); err != nil {
				return fail("name a directory elsewhere", "write %s: %w", out, err)
			}
			signed, err := e.sealed(cmd, src, s)
			if err != nil {
				return err
			}
			return e.tiles(cmd, src, out, signed)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the directory to write to")
	s.flags(cmd)
	e.jsonFlag(cmd)
	return cmd
}

// sealed is the checkpoint to write the tree of. One that was named is not
// held against the records here: writing the tiles does.
func (e *env) sealed(cmd *cobra.Command, src *history.Source, s sealing) ([]byte, error) {
	if s.checkpoint != "" {
		_, signed, err := readCheckpoint(src, s)
		return signed, err
	}
	_, signed, err := e.commit(cmd, src, s)
	return signed, err
}

func (e *env) tiles(cmd *cobra.Command, src *history.Source, out string, signed []byte) error {
	c, err := transparency.Read(signed)
	if err != nil {
		return err
	}
	did, err := transparency.Tiles(cmd.Context(), src, out, signed, func(done, total uint64) { e.progress.at("write", done, total) })
	switch {
	case errors.Is(err, context.Canceled) && did.Written > 0:
		fmt.Fprintf(e.stderr, "edgectl: interrupted after %d files: run it again, it continues\n", did.Written)
		return err
	case errors.Is(err, transparency.ErrBusy):
		return fail("wait for it", "%w", err)
	case errors.Is(err, transparency.ErrOther):
		return e.rewritten("the checkpoint", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fail("free space there and run it again: it continues", "write tiles to %s: %w", out, err)
	case err != nil:
		return err
	case e.json:
		return writeJSON(e.stdout, tiled{out, c.Journal, c.Head(), did.Written, did.Kept})
	}
	_, err = fmt.Fprintf(e.stdout, "%s: a tree of %s of journal %s, %d files written, %d kept\n", out, records(c.Size), c.Journal, did.Written, did.Kept)
	return err
}
