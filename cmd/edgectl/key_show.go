package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/transparency"
)

// shownKey is what key show prints as JSON. Of a private key only what is
// public is ever shown.
type shownKey struct {
	File   string `json:"file"`
	Kind   string `json:"kind"` // public, private
	BLAKE3 string `json:"blake3"`
	// Of a checkpoint key: the name that it signs under, and its public half in
	// the form of signed notes.
	Name     string `json:"name,omitempty"`
	Verifier string `json:"verifier,omitempty"`
}

func keyShow(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: "print what a key is, and its BLAKE3",
		Long: `show prints whether FILE is a public or a private key, for manifests or for
checkpoints, and the BLAKE3 of its public half: what gate.manifest_key_blake3
pins and the journal records. Of a checkpoint key it prints the name that it
signs under, and the public half as verifiers of signed notes take it.`,
		Example: `  edgectl key show /persist/edge/identity/manifest-verify.pub
  edgectl key show /persist/edge/identity/journal-sign.pub`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			k, err := readKey(args[0])
			if err != nil {
				return err
			}
			if e.json {
				return writeJSON(e.stdout, k)
			}
			if k.Verifier != "" {
				_, err = fmt.Fprintf(e.stdout, "file    %s\nkind    Ed25519 %s checkpoint key\nblake3  %s\nname    %s\npublic  %s\n", k.File, k.Kind, k.BLAKE3, k.Name, k.Verifier)
				return err
			}
			_, err = fmt.Fprintf(e.stdout, "file    %s\nkind    Ed25519 %s key\nblake3  %s\n", k.File, k.Kind, k.BLAKE3)
			return err
		},
	}
	e.jsonFlag(cmd)
	return cmd
}

func readKey(file string) (shownKey, error) {
	data, err := durable.ReadHostFile(file, signing.MaxKeyFile)
	if err != nil {
		return shownKey{}, fail("name a key file", "read a key: %w", err)
	}
	public, err := signing.ParsePublic(data)
	if err == nil {
		return shownKey{File: file, Kind: "public", BLAKE3: signing.Hash(public)}, nil
	}
	private, privateErr := signing.ParsePrivate(data)
	if privateErr == nil {
		return shownKey{File: file, Kind: "private", BLAKE3: signing.Hash(private.Public().(ed25519.PublicKey))}, nil
	}
	if v, err := transparency.NewVerifier(string(data)); err == nil {
		return shownCheckpointKey(file, "public", v), nil
	} else if errors.Is(err, signing.ErrWeakKey) {
		return shownKey{}, fail("take the key from the node again, or replace it: edgectl key replace checkpoint", "%s: %w", file, err)
	}
	if s, err := transparency.NewSigner(string(data)); err == nil {
		return shownCheckpointKey(file, "private", s.Verifier()), nil
	}
	return shownKey{}, fail("a public key is 32 raw bytes or PEM, a private one 64 raw bytes or PEM, a checkpoint key one line of text",
		"%s: %d bytes: as a public key: %w; as a private one: %w", file, len(data), err, privateErr)
}

func shownCheckpointKey(file, kind string, v transparency.Verifier) shownKey {
	return shownKey{File: file, Kind: kind, BLAKE3: v.BLAKE3(), Name: v.Name(), Verifier: v.String()}
}
