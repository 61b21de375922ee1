package keychange

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
)

// RotateManifest journals next as the manifest key, by a statement that old signs.
func RotateManifest(appendTo Append, root string, old ed25519.PrivateKey, next Successor) (Change, error) {
	return changeManifest(appendTo, root, next, func(s machine.State) (machine.Payload, error) {
		from, to := signing.Hash(signing.Public(old)), signing.Hash(next.public)
		switch to {
		case from:
			return nil, errs.Advise("name another key", "the new key is the old one")
		case s.Keys.Newest():
			return nil, errFollows
		}
		if !s.Keys.MayRotate(from) {
			return nil, errs.Advise("name the newest key, or replace it without the old key (edgectl key replace)", "--old is %s, but the newest key of the journal is %s", from, s.Keys.Newest())
		}
		if err := roomForKey(s); err != nil {
			return nil, err
		}
		statement, signature, err := signing.SignStatement(old,
			signing.NewStatement(machine.PurposeManifest, signing.Public(old), next.public, s.Journal))
		if err != nil {
			return nil, err
		}
		return machine.KeyRotated{V: 1, Purpose: machine.PurposeManifest, OldKey: from, NewKey: to,
			Statement: statement, Signature: signature}, nil
	})
}

// ReplaceManifest journals next as the manifest key, without a statement of the old one.
func ReplaceManifest(appendTo Append, root string, by Author, next Successor) (Change, error) {
	return changeManifest(appendTo, root, next, func(s machine.State) (machine.Payload, error) {
		from, to := s.Keys.Newest(), signing.Hash(next.public)
		switch {
		case to != from:
		case len(s.Keys.Successors) > 0:
			return nil, errFollows
		default:
			return nil, errs.Advise("name another key; if it is only missing on the node, copy its public half to "+stateroot.ManifestVerifyKey, "the new key is the old one")
		}
		if err := roomForKey(s); err != nil {
			return nil, err
		}
		return machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, OldKey: from,
			NewKey: to, By: by.By, Reason: by.Reason}, nil
	})
}

func changeManifest(appendTo Append, root string, next Successor, decide func(machine.State) (machine.Payload, error)) (Change, error) {
	event, before, err := commit(appendTo, decide)
	if err != nil {
		return Change{}, err
	}
	leads, err := putSuccessor(root, before, next)
	return Change{Event: event, Journal: before.Journal, Key: signing.Hash(next.public), Next: leads}, err
}

// roomForKey refuses a change of the manifest key that exceeds machine.MaxSuccessors. All
// keys since the last completed epoch are kept and accepted until the next one.
func roomForKey(s machine.State) error {
	if n := len(s.Keys.Successors); n >= machine.MaxSuccessors {
		return errs.Advise("complete an epoch first: sign the manifest with one of these keys, edgectl drill, and boot",
			"the manifest key was changed %d times since the last completed epoch, the limit is %d", n, machine.MaxSuccessors)
	}
	return nil
}

// Successor is a new manifest key: its public half, and the private one if it is known.
type Successor struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey
}

// ReadSuccessor reads a new manifest key, public or private.
func ReadSuccessor(file string) (Successor, error) {
	data, err := durable.ReadHostFile(file, signing.MaxKeyFile)
	if err != nil {
		return Successor{}, errs.Advise("name the new manifest key", "read the key: %w", err)
	}
	if private, err := signing.ParsePrivate(data); err == nil {
		return Successor{signing.Public(private), private}, nil
	}
	public, err := signing.ParsePublic(data)
	if err != nil {
		return Successor{}, errs.Advise("a public key is 32 raw bytes or PEM, a private one 64 raw bytes or PEM", "%s: %w", file, err)
	}
	return Successor{public: public}, nil
}

// putSuccessor publishes the new verify key after it was journaled, and signs the deployed
// manifest with it if possible. A crash before leaves the old key, which the journal still
// accepts.
func putSuccessor(root string, before machine.State, next Successor) (leads string, err error) {
	tree, err := durable.OpenRoot(root)
	if err != nil {
		return "", err
	}
	defer tree.Close() //nolint:errcheck // everything written was flushed
	deployed, _, err := durable.ReadFile(tree, stateroot.ManifestVerifyKey, signing.MaxKeyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", errs.Advise("repair the disk, then run it again", "journaled, but the verify key on the node cannot be read: %w", err)
	}
	leads, err = signAgain(tree, deployed, before, next)
	if err != nil {
		return "", errs.Advise("run it again, or edgectl manifest sign with the new key", "journaled, but the manifest could not be signed: %w", err)
	}
	if !bytes.Equal(deployed, next.public) {
		if err := durable.WriteFile(tree, stateroot.ManifestVerifyKey, next.public, 0o644); err != nil {
			return "", errs.Advise(fmt.Sprintf("copy the public key to %s", filepath.Join(root, stateroot.ManifestVerifyKey)), "journaled, but not put in place: %w", err)
		}
	}
	return leads, nil
}

// signAgain signs the deployed manifest with the new key, if its signature verifies now
// under a key that the history accepts. A manifest that somebody edited on the node must
// not get a good signature here.
func signAgain(tree durable.FS, deployed []byte, before machine.State, next Successor) (leads string, err error) {
	if next.private == nil {
		return "sign the manifest with the new key before the next boot: edgectl manifest sign", nil
	}
	data, _, err := durable.ReadFile(tree, stateroot.Manifest, manifest.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return "there is no manifest yet; sign it with the new key when there is one", nil
	}
	if err != nil {
		return "", err
	}
	signature, _, err := durable.ReadFile(tree, stateroot.ManifestSignature, ed25519.SignatureSize)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, durable.ErrTooLarge) {
		return "", err
	}
	const done = "the manifest is signed with the new key"
	if signing.Verify(next.public, data, signature) {
		return done, nil
	}
	if len(deployed) != ed25519.PublicKeySize || !before.AcceptsManifestKey(signing.Hash(deployed)) || !signing.Verify(deployed, data, signature) {
		return "the manifest is NOT signed with the new key: its old signature does not hold; read it, then edgectl manifest sign", nil
	}
	return done, durable.WriteFile(tree, stateroot.ManifestSignature, ed25519.Sign(next.private, data), 0o644)
}
