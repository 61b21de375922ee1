package main

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
)

func keyRotate(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "change a key, by a statement that the old key signs",
		Long: `rotate changes the key that manifests or checkpoints are signed with. The old key
signs that the new one follows it, and the journal keeps the statement: whoever
knew the old key has a reason to believe the new one.`,
		Example: `  edgectl key rotate manifest --old keys/manifest-verify.key --new next/manifest-verify.key
  edgectl key rotate checkpoint --state-root /persist/edge`,
	}
	cmd.AddCommand(rotateManifest(e), rotateCheckpoint(e))
	group(cmd)
	return cmd
}

func keyReplace(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replace",
		Short: "break the glass: change a key without the old one",
		Long: `replace is for a key that is lost or no longer trusted. Nothing vouches for the
new key but your word, which the journal keeps for every auditor.`,
		Example: `  edgectl key replace manifest --new next/manifest-verify.key --reason "the signing host burned down"
  edgectl key replace checkpoint --reason "the partition was read by a stranger"`,
	}
	cmd.AddCommand(replaceManifest(e), replaceCheckpoint(e))
	group(cmd)
	return cmd
}

// rotateManifest changes the manifest key by a statement that the old key signs.
func rotateManifest(e *env) *cobra.Command {
	var oldFile, newFile string
	cmd := &cobra.Command{
		Use:   "manifest --old KEY --new KEY",
		Short: "change the manifest key, by a statement that the old key signs",
		Long: `rotate signs, with the old private key, that the new key follows it on this
node, journals the statement, and puts the new verify key in place. With a
private --new the deployed manifest is signed anew, if its signature holds now;
with a public one, sign it before the next boot.

Run again after an interruption, it completes what was begun.`,
		Example: `  edgectl key rotate manifest --old keys/manifest-verify.key --new next/manifest-verify.key`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if oldFile == "" || newFile == "" {
				return fail("pass --old PRIVATE and --new KEY", "rotate needs both keys")
			}
			old, err := readPrivate(oldFile)
			if err != nil {
				return err
			}
			next, err := readSuccessor(newFile)
			if err != nil {
				return err
			}
			var before machine.State
			event, root, err := e.operate(cmd, func(s machine.State) (machine.Payload, error) {
				before = s
				from, to := signing.Hash(signing.Public(old)), signing.Hash(next.public)
				switch to {
				case from:
					return nil, fail("name another key", "the new key is the old one")
				case s.Keys.Newest():
					return nil, errFollows
				}
				if !s.Keys.MayRotate(from) {
					return nil, fail("name the newest key, or break the glass with edgectl key replace", "--old is %s, the journal knows %s", from, s.Keys.Newest())
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
			if err != nil && !errors.Is(err, errFollows) {
				return err
			}
			return e.putSuccessor(root, event, before, next)
		},
	}
	cmd.Flags().StringVar(&oldFile, "old", "", "the private key that is followed")
	cmd.Flags().StringVar(&newFile, "new", "", "the key that follows it, private or public")
	e.jsonFlag(cmd)
	return cmd
}

// replaceManifest changes the manifest key without the old one.
func replaceManifest(e *env) *cobra.Command {
	var (
		by      act
		newFile string
	)
	cmd := &cobra.Command{
		Use:   "manifest --new KEY --reason TEXT",
		Short: "break the glass: change the manifest key without the old one",
		Long: `replace is for a manifest key that is lost or no longer trusted. Nothing vouches
for the new key but your word, which the journal keeps for every auditor.

With a private --new the deployed manifest is signed anew, if its signature
holds now. Where the old key is not trusted, neither is what it signed: pass the
public half, read the manifest, and sign it yourself.`,
		Example: `  edgectl key replace manifest --new next/manifest-verify.key --reason "the signing host burned down"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := by.check(e); err != nil {
				return err
			}
			if newFile == "" {
				return fail("pass --new KEY", "replace needs the new key")
			}
			next, err := readSuccessor(newFile)
			if err != nil {
				return err
			}
			var before machine.State
			event, root, err := e.operate(cmd, func(s machine.State) (machine.Payload, error) {
				before = s
				from, to := s.Keys.Newest(), signing.Hash(next.public)
				switch {
				case to != from:
				case len(s.Keys.Successors) > 0:
					return nil, errFollows
				default:
					return nil, fail("name another key; if it is only missing on the node, copy its public half to "+stateroot.ManifestVerifyKey, "the new key is the old one")
				}
				if err := roomForKey(s); err != nil {
					return nil, err
				}
				return machine.KeyReplaced{V: 1, Purpose: machine.PurposeManifest, OldKey: from,
					NewKey: to, By: by.by, Reason: by.reason}, nil
			})
			if err != nil && !errors.Is(err, errFollows) {
				return err
			}
			return e.putSuccessor(root, event, before, next)
		},
	}
	by.flags(cmd)
	cmd.Flags().StringVar(&newFile, "new", "", "the new key, private or public")
	e.jsonFlag(cmd)
	return cmd
}

// roomForKey refuses a change of the manifest key that no history takes: until
// an epoch is completed, all keys since the last one are accepted, and kept.
func roomForKey(s machine.State) error {
	if n := len(s.Keys.Successors); n >= machine.MaxSuccessors {
		return fail("complete an epoch first: sign the manifest with one of these keys, edgectl drill, and boot",
			"the manifest key was changed %d times since an epoch was last completed, the limit is %d", n, machine.MaxSuccessors)
	}
	return nil
}

// successor is a new key: its public half, and the private one if it was given.
type successor struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey
}

func readSuccessor(file string) (successor, error) {
	data, err := durable.ReadHostFile(file, signing.MaxKeyFile)
	if err != nil {
		return successor{}, fail("name the new manifest key", "read the key: %w", err)
	}
	if private, err := signing.ParsePrivate(data); err == nil {
		return successor{signing.Public(private), private}, nil
	}
	public, err := signing.ParsePublic(data)
	if err != nil {
		return successor{}, fail("a public key is 32 raw bytes or PEM, a private one 64 raw bytes or PEM", "%s: %w", file, err)
	}
	return successor{public: public}, nil
}

// errFollows: the journal knows already that the key follows; an earlier call
// was interrupted before it put the key in place.
var errFollows = errors.New("the key follows already")

// putSuccessor publishes the new verify key after it was journaled, and signs
// the deployed manifest with it where that can be done: a crash before leaves
// the old key, which the journal still accepts.
func (e *env) putSuccessor(root string, event machine.Event, before machine.State, next successor) error {
	tree, err := durable.OpenRoot(root)
	if err != nil {
		return err
	}
	defer tree.Close() //nolint:errcheck // everything written was flushed
	deployed, _, err := durable.ReadFile(tree, stateroot.ManifestVerifyKey, signing.MaxKeyFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail("mend the disk, and run it again", "journaled, but the verify key on the node cannot be read: %w", err)
	}
	leads, err := signAnew(tree, deployed, before, next)
	if err != nil {
		return fail("run it again, or edgectl manifest sign with the new key", "journaled, but the manifest could not be signed: %w", err)
	}
	if !bytes.Equal(deployed, next.public) {
		if err := durable.WriteFile(tree, stateroot.ManifestVerifyKey, next.public, 0o644); err != nil {
			return fail(fmt.Sprintf("copy the public key to %s", filepath.Join(root, stateroot.ManifestVerifyKey)), "journaled, but not put in place: %w", err)
		}
	}
	switch {
	case event.Seq != 0:
		return e.told(event, "the node's verify key is "+signing.Hash(next.public)+"\n"+leads)
	case e.json: // nothing new was journaled: no record, and no data
		return writeJSON(e.stdout, journaled{Journal: before.Journal})
	}
	_, err = fmt.Fprintf(e.stdout, "the journal names this key already; it is in place\n%s\n", leads)
	return err
}

// signAnew signs the deployed manifest with the new key, where its signature
// holds now under a key that the history accepts. One that somebody altered on
// the node must not get a good signature from here.
func signAnew(tree durable.FS, deployed []byte, before machine.State, next successor) (leads string, err error) {
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
