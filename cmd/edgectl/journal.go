package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/evidence"
)

func journalCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "read, verify and export the journal",
		Long: `The journal is the append-only history of everything the node's gate saw and
did. These commands only read it: on a live node, on a copy, or on a read-only
mount, they leave every byte and every modification time as they found it.`,
		Example: `  edgectl journal log --state-root /persist/edge
  edgectl journal verify --journal /mnt/evidence --json`,
	}
	e.target.evidenceFlag(cmd.PersistentFlags())
	cmd.AddCommand(journalLog(e), journalHead(e), journalShow(e), journalVerify(e), journalExport(e), journalCheckpoint(e), journalProve(e), journalTiles(e), journalSalvage(e), journalRename(e))
	group(cmd)
	return cmd
}

// open opens the history that is meant.
func (e *env) open() (*evidence.Source, error) { return e.openAs(evidence.Open) }

// openDamaged opens it for those who tell what is damaged.
func (e *env) openDamaged() (*evidence.Source, error) { return e.openAs(evidence.OpenDamaged) }

func (e *env) openAs(open func(string) (*evidence.Source, error)) (*evidence.Source, error) {
	path, err := e.evidence()
	if err != nil {
		return nil, err
	}
	src, err := open(path)
	if err == nil {
		src.EndWith(e.ctx)
	}
	return src, err
}

// writeJSON prints one result on one line.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
