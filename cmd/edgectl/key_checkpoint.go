package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
)

// nextCheckpointKey holds the new key from before its rotation is journaled
// until it has taken the old one's place: a key that the journal names is
// never lost.
const nextCheckpointKey = stateroot.CheckpointKey + ".next"

// rotateCheckpoint is key rotate checkpoint.
func rotateCheckpoint(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "change the checkpoint key, by a statement that both keys sign",
		Long: `rotate makes a new checkpoint key on the node, which it never leaves, journals a
statement that both keys sign, and puts the new key in place. Whoever holds the
old public key can verify what the new one signs: the journal leads from one to
the other.

Run again after an interruption, it completes what was begun.`,
		Example: `  edgectl key rotate checkpoint --state-root /persist/edge`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.rotateCheckpoint(cmd) },
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
			return e.replaceCheckpoint(cmd, by)
		},
	}
	by.flags(cmd)
	e.jsonFlag(cmd)
	return cmd
}

// rotateCheckpoint has the old key and the new one sign the change.
func (e *env) rotateCheckpoint(cmd *cobra.Command) error {
	return e.changeCheckpoint(cmd, func(tree durable.FS, s machine.State) (next transparency.Signer, p machine.Payload, err error) {
		next, err = readSigner(tree, nextCheckpointKey)
		missing := errors.Is(err, fs.ErrNotExist)
		switch {
		case err != nil && !missing:
			return next, nil, fail("remove "+nextCheckpointKey+" where no record names the key in it", "%w", err)
		case !missing && s.Keys.Checkpoint == next.Verifier().BLAKE3():
			return next, nil, errFollows
		}
		old, err := readSigner(tree, stateroot.CheckpointKey)
		if err != nil {
			return next, nil, fail("put it back, or break the glass with edgectl key replace", "%w", err)
		}
		if err := old.Verifier().InForce(s.Keys.Checkpoint); err != nil {
			return next, nil, fail("put the right key back, or break the glass with edgectl key replace", "%s is %w", stateroot.CheckpointKey, err)
		}
		if missing {
			if next, err = newCheckpointKey(tree, s.Node, old.Verifier().Name()); err != nil {
				return next, nil, err
			}
		}
		p, err = transparency.Rotate(s.Journal, old, next)
		return next, p, err
	})
}

// replaceCheckpoint changes the key on a person's word.
func (e *env) replaceCheckpoint(cmd *cobra.Command, by act) error {
	return e.changeCheckpoint(cmd, func(tree durable.FS, s machine.State) (next transparency.Signer, p machine.Payload, err error) {
		if next, err = readSigner(tree, nextCheckpointKey); err == nil && s.Keys.Checkpoint == next.Verifier().BLAKE3() {
			return next, nil, errFollows
		}
		known := s.Keys.Checkpoint
		if old, err := readSigner(tree, stateroot.CheckpointKey); known == "" && err == nil {
			known = old.Verifier().BLAKE3() // the first one is in no record
		}
		if next, err = newCheckpointKey(tree, s.Node, "edged"); err != nil {
			return next, nil, err
		}
		return next, machine.KeyReplaced{V: 1, Purpose: machine.PurposeCheckpoint, OldKey: known,
			NewKey: next.Verifier().BLAKE3(), By: by.by, Reason: by.reason}, nil
	})
}

// changeCheckpoint journals the event that decide gives, and puts the new key
// in place. The append is the commit point: before it the old key signs, after
// it the new one does, and a call that was interrupted in between is completed
// by the next one: decide then gives errFollows.
func (e *env) changeCheckpoint(cmd *cobra.Command, decide func(durable.FS, machine.State) (transparency.Signer, machine.Payload, error)) error {
	root, err := e.root()
	if err != nil {
		return err
	}
	tree, err := durable.OpenRoot(root)
	if err != nil {
		return fail("name the node's state root", "state root %s: %w", root, err)
	}
	defer tree.Close() //nolint:errcheck // everything written was flushed
	var next transparency.Signer
	var before machine.State
	event, _, err := e.operate(cmd, func(s machine.State) (p machine.Payload, err error) {
		before = s
		next, p, err = decide(tree, s)
		return p, err
	})
	if err != nil && !errors.Is(err, errFollows) {
		return err
	}
	return e.putCheckpointKey(tree, root, event, before, next)
}

// putCheckpointKey gives the new key the old one's place, and only then removes
// the copy that an interrupted call is completed from.
func (e *env) putCheckpointKey(tree durable.FS, root string, event machine.Event, before machine.State, next transparency.Signer) error {
	err := durable.WriteFile(tree, stateroot.CheckpointKey, []byte(next.Secret()+"\n"), 0o600)
	if err == nil {
		err = durable.WriteFile(tree, stateroot.CheckpointPublic, []byte(next.Verifier().String()+"\n"), 0o644)
	}
	if err == nil {
		err = tree.Remove(nextCheckpointKey)
	}
	if err != nil {
		return fail("run it again", "the journal names the new checkpoint key, but it is not in place: %w", err)
	}
	leads := fmt.Sprintf("the checkpoint key is %s; give auditors %s", next.Verifier().BLAKE3(), filepath.Join(root, stateroot.CheckpointPublic))
	switch {
	case event.Seq != 0:
		return e.told(event, leads)
	case e.json: // nothing new was journaled: no record, and no data
		return writeJSON(e.stdout, journaled{Journal: before.Journal})
	}
	_, err = fmt.Fprintf(e.stdout, "the journal names this key already; it is in place\n%s\n", leads)
	return err
}

func readSigner(tree durable.FS, name string) (transparency.Signer, error) {
	data, _, err := durable.ReadFile(tree, name, transparency.MaxKey)
	if err != nil {
		return transparency.Signer{}, fmt.Errorf("read the checkpoint key: %w", err)
	}
	s, err := transparency.NewSigner(string(data))
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// newCheckpointKey makes a key and keeps it, before anything names it. It bears
// the node's name, or the other one where a signed note cannot have that.
func newCheckpointKey(tree durable.FS, node, otherwise string) (transparency.Signer, error) {
	next, err := transparency.GenerateSigner(node)
	if errors.Is(err, transparency.ErrKey) {
		next, err = transparency.GenerateSigner(otherwise)
	}
	if err != nil {
		return next, err
	}
	if err := durable.WriteFile(tree, nextCheckpointKey, []byte(next.Secret()+"\n"), 0o600); err != nil {
		return next, fail("free space, or mend the disk: nothing was changed", "write the new checkpoint key: %w", err)
	}
	return next, nil
}
