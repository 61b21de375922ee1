package main

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/replay"
)

func journalCheckpoint(e *env) *cobra.Command {
	var s sealing
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "print a signed checkpoint of the journal",
		Long: `checkpoint commits to every record so far: the root of their Merkle tree,
signed with the node's checkpoint key (identity/journal-sign.key), as a C2SP
checkpoint. Kept off the node, it shows later that the history was rewritten or
cut short, which nothing on the node can.

It ends at the newest acknowledged record, and syncs that one first: a power cut
cannot take back what was signed. It hashes what is there and does not verify
it: that is for journal verify. Of a
history that is damaged or incomplete, or of a journal directory without its
head file, it signs nothing. A key that is not the one that the journal names
last is refused.`,
		Example: `  edgectl journal checkpoint --state-root /persist/edge >node-7.checkpoint
  edgectl journal checkpoint --journal history.jsonl --key journal-sign.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			src, err := e.openSealed()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			_, signed, err := e.commit(cmd, src, s)
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(signed)
			return err
		},
	}
	s.keyFlag(cmd)
	return cmd
}

// sealing says what commits to a history: a private key, or a checkpoint that
// somebody has signed before.
type sealing struct {
	key, checkpoint string
}

func (s *sealing) keyFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.key, "key", "", "the private checkpoint key (default: the state root's "+stateroot.CheckpointKey+")")
}

func (s *sealing) flags(cmd *cobra.Command) {
	s.keyFlag(cmd)
	cmd.Flags().StringVar(&s.checkpoint, "checkpoint", "", "a signed checkpoint to go by instead of making one")
}

// openSealed opens the history that is meant, for a commitment to it.
func (e *env) openSealed() (*history.Source, error) {
	src, err := e.openWhole()
	if errors.Is(err, errs.ErrNotFound) {
		return nil, fail("edged precheck makes it at its first run", "nothing to commit to: %w", err)
	}
	return src, err
}

// commit builds the tree of a history and returns the signed checkpoint that is
// over it: one that is made of all its records, or the one that was named.
func (e *env) commit(cmd *cobra.Command, src *history.Source, s sealing) (*transparency.Tree, []byte, error) {
	progress := func(done, total uint64) { e.progress.at("hash", done, total) }
	if s.checkpoint != "" {
		c, signed, err := readCheckpoint(src, s)
		if err != nil {
			return nil, nil, err
		}
		tree, err := transparency.Build(cmd.Context(), src, c.Size, progress)
		return tree, signed, err
	}
	if src.Kind() == history.Directory {
		return nil, nil, fail("name the state root around it, which has the head file", "sign nothing of %s: nothing vouches for its newest records", src.Path())
	}
	key, err := checkpointKey(src, s.key)
	if err != nil {
		return nil, nil, err
	}
	if err := src.MakeDurable(); err != nil {
		return nil, nil, wrong(err)
	}
	tree, err := transparency.Build(cmd.Context(), src, src.Tip().Seq, progress)
	if err != nil {
		return nil, nil, wrong(err)
	}
	signed, err := tree.Checkpoint().Sign(key)
	return tree, signed, err
}

// readCheckpoint reads the checkpoint that was named, by whomever it is signed.
func readCheckpoint(src *history.Source, s sealing) (transparency.Checkpoint, []byte, error) {
	if s.key != "" {
		return transparency.Checkpoint{}, nil, fail("drop one of them", "--key makes a checkpoint, --checkpoint names one")
	}
	signed, err := durable.ReadHostFile(s.checkpoint, transparency.MaxCheckpoint)
	if err != nil {
		return transparency.Checkpoint{}, nil, fail("name a checkpoint file", "read the checkpoint: %w", err)
	}
	c, err := transparency.Read(signed)
	if err == nil && c.Journal != src.ID() {
		err = fail("name one of this journal", "%w: it is of journal %s, this is journal %s", transparency.ErrOther, c.Journal, src.ID())
	}
	if err != nil {
		return c, nil, fail("edgectl journal checkpoint makes one", "%s: %w", s.checkpoint, err)
	}
	return c, signed, nil
}

// checkpointKey reads the private key, and makes sure that it is the one that
// the history names: one that was changed may not be put in place yet.
func checkpointKey(src *history.Source, file string) (transparency.Signer, error) {
	var data []byte
	var err error
	switch {
	case file != "":
		data, err = durable.ReadHostFile(file, transparency.MaxKey)
	case src.Kind() != history.StateRoot:
		return transparency.Signer{}, fail("name the private key with --key FILE, or a checkpoint that there is", "%s %s holds no checkpoint key", article(string(src.Kind())), src.Kind())
	default:
		file = stateroot.CheckpointKey
		data, _, err = durable.ReadFile(src.FS(), file, transparency.MaxKey)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return transparency.Signer{}, fail("edgectl init makes one if it is missing; --key names one elsewhere", "no checkpoint key: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return transparency.Signer{}, fail("only root may read it: run this as root", "read the checkpoint key: %w", err)
	case err != nil:
		return transparency.Signer{}, fail("check the disk, or name another key with --key", "read the checkpoint key: %w", err)
	}
	key, err := transparency.NewSigner(string(data))
	if err != nil {
		return key, fail("put the right file back, or name another with --key", "%s: %w", file, err)
	}
	return key, inForce(src, file, key.Verifier())
}

// inForce refuses a key that is not the one that the history names last.
func inForce(src *history.Source, file string, key transparency.Verifier) error {
	state, _, err := replay.State(src, src.Tip().Seq)
	if err != nil {
		return fail("edgectl journal verify --deep reports what is wrong with it", "nothing is signed for a history that does not replay: %w", err)
	}
	if err := key.InForce(state.Keys.Checkpoint); err != nil {
		return fail("edgectl key rotate checkpoint completes a change that was interrupted; otherwise put the right key back", "%s is %w", file, err)
	}
	return nil
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an"
	}
	return "a"
}
