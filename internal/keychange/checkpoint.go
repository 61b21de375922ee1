package keychange

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
)

// nextCheckpointKey holds the new key until it has replaced the old one. It is written
// before the rotation is journaled, so that a key that the journal names is never lost.
const nextCheckpointKey = stateroot.CheckpointKey + ".next"

// RotateCheckpoint makes a new checkpoint key and journals its rotation, signed by the
// old key and the new one.
func RotateCheckpoint(appendTo Append, root string) (Change, error) {
	return changeCheckpoint(appendTo, root, func(tree durable.FS, s machine.State) (next transparency.Signer, p machine.Payload, err error) {
		next, err = readSigner(tree, nextCheckpointKey)
		missing := errors.Is(err, fs.ErrNotExist)
		switch {
		case err != nil && !missing:
			return next, nil, errs.Advise("remove "+nextCheckpointKey+" if no record names the key in it", "%w", err)
		case !missing && s.Keys.Checkpoint == next.Verifier().BLAKE3():
			return next, nil, errFollows
		}
		old, err := readSigner(tree, stateroot.CheckpointKey)
		if err != nil {
			return next, nil, errs.Advise("put it back, or replace it without the old key (edgectl key replace)", "%w", err)
		}
		if err := old.Verifier().InForce(s.Keys.Checkpoint); err != nil {
			return next, nil, errs.Advise("put the right key back, or replace it without the old key (edgectl key replace)", "%s is %w", stateroot.CheckpointKey, err)
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

// ReplaceCheckpoint makes a new checkpoint key without a signature of the old one.
func ReplaceCheckpoint(appendTo Append, root string, by Author) (Change, error) {
	return changeCheckpoint(appendTo, root, func(tree durable.FS, s machine.State) (next transparency.Signer, p machine.Payload, err error) {
		if next, err = readSigner(tree, nextCheckpointKey); err == nil && s.Keys.Checkpoint == next.Verifier().BLAKE3() {
			return next, nil, errFollows
		}
		known := s.Keys.Checkpoint
		if old, err := readSigner(tree, stateroot.CheckpointKey); known == "" && err == nil {
			known = old.Verifier().BLAKE3() // no record names the first key
		}
		if next, err = newCheckpointKey(tree, s.Node, "edged"); err != nil {
			return next, nil, err
		}
		return next, machine.KeyReplaced{V: 1, Purpose: machine.PurposeCheckpoint, OldKey: known,
			NewKey: next.Verifier().BLAKE3(), By: by.By, Reason: by.Reason}, nil
	})
}

// changeCheckpoint journals the event that decide returns, and puts the new key
// in place.
func changeCheckpoint(appendTo Append, root string, decide func(durable.FS, machine.State) (transparency.Signer, machine.Payload, error)) (Change, error) {
	tree, err := durable.OpenRoot(root)
	if err != nil {
		return Change{}, errs.Advise("name the node's state root", "state root %s: %w", root, err)
	}
	defer tree.Close() //nolint:errcheck // everything written was flushed
	var next transparency.Signer
	event, before, err := commit(appendTo, func(s machine.State) (p machine.Payload, err error) {
		next, p, err = decide(tree, s)
		return p, err
	})
	if err != nil {
		return Change{}, err
	}
	if err := putCheckpointKey(tree, next); err != nil {
		return Change{}, errs.Advise("run it again", "the journal names the new checkpoint key, but it is not in place: %w", err)
	}
	key := next.Verifier().BLAKE3()
	return Change{Event: event, Journal: before.Journal, Key: key,
		Next: fmt.Sprintf("the checkpoint key is %s; give auditors %s", key, filepath.Join(root, stateroot.CheckpointPublic))}, nil
}

// putCheckpointKey replaces the old key by the new one, and then removes the copy from
// which an interrupted call is completed.
func putCheckpointKey(tree durable.FS, next transparency.Signer) error {
	if err := durable.WriteFile(tree, stateroot.CheckpointKey, []byte(next.Secret()+"\n"), 0o600); err != nil {
		return err
	}
	if err := durable.WriteFile(tree, stateroot.CheckpointPublic, []byte(next.Verifier().String()+"\n"), 0o644); err != nil {
		return err
	}
	return tree.Remove(nextCheckpointKey)
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

// newCheckpointKey makes a key and stores it before a record names it. The key has the
// node's name, or otherwise if a signed note cannot have that name.
func newCheckpointKey(tree durable.FS, node, otherwise string) (transparency.Signer, error) {
	next, err := transparency.GenerateSigner(node)
	if errors.Is(err, transparency.ErrKey) {
		next, err = transparency.GenerateSigner(otherwise)
	}
	if err != nil {
		return next, err
	}
	if err := durable.WriteFile(tree, nextCheckpointKey, []byte(next.Secret()+"\n"), 0o600); err != nil {
		return next, errs.Advise("free space or repair the disk; nothing was changed", "write the new checkpoint key: %w", err)
	}
	return next, nil
}
