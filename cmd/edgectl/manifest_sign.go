package main

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/signing"
	"github.com/autonomyops/edged/internal/stateroot"
)

// signed is what manifest sign prints as JSON.
type signed struct {
	Manifest  string `json:"manifest"`
	Signature string `json:"signature"`
	Hash      string `json:"manifest_hash"`
	Key       string `json:"key_blake3"`
}

func manifestSign(e *env) *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use:   "sign [FILE] --key KEY",
		Short: "sign a manifest",
		Long: `sign writes FILE.sig, 64 raw bytes, beside FILE. FILE defaults to the state
root's manifest. A manifest that does not parse is not signed: no gate would
take it. KEY is 64 raw bytes or PKCS#8 PEM.`,
		Example: `  edgectl manifest sign manifest.json --key keys/manifest-verify.key`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if keyFile == "" {
				return fail("pass --key FILE", "sign needs a private key")
			}
			key, err := readPrivate(keyFile)
			if err != nil {
				return err
			}
			at, err := e.manifestAt(args)
			if err != nil {
				return err
			}
			defer at.close()
			data, err := at.read()
			if err != nil {
				return err
			}
			if problems := manifest.Lint(data); len(problems) > 0 {
				for _, p := range problems {
					fmt.Fprintf(e.stderr, "edgectl: %s: %s\n", at.path, p)
				}
				fmt.Fprintln(e.stderr, "edgectl: not signed: no gate would take it")
				return errWrong
			}
			public := key.Public().(ed25519.PublicKey)
			e.warnOtherKey(at, public)
			out := signed{Manifest: at.path, Signature: at.path + ".sig", Hash: digest.Of(data), Key: signing.Hash(public)}
			if err := writeBeside(out.Signature, ed25519.Sign(key, data)); err != nil {
				return fail("check write permission on its directory", "write the signature: %w", err)
			}
			if e.json {
				return writeJSON(e.stdout, out)
			}
			_, err = fmt.Fprintf(e.stdout, "signed    %s\nsignature %s\nkey       %s\n", out.Manifest, out.Signature, out.Key)
			return err
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the private manifest key")
	e.jsonFlag(cmd)
	return cmd
}

// warnOtherKey says so when the node would refuse the signature.
func (e *env) warnOtherKey(at *manifestFile, public ed25519.PublicKey) {
	if at.tree == nil {
		return
	}
	node, _, err := durable.ReadFile(at.tree, stateroot.ManifestVerifyKey, signing.MaxKeyFile)
	switch {
	case err != nil:
		fmt.Fprintf(e.stderr, "edgectl: warning: %s cannot be read (%v): the gate will need it\n", stateroot.ManifestVerifyKey, err)
	case !bytes.Equal(node, public):
		fmt.Fprintf(e.stderr, "edgectl: warning: %s is another key: this node will refuse the signature\n", stateroot.ManifestVerifyKey)
	}
}

func readPrivate(file string) (ed25519.PrivateKey, error) {
	data, err := durable.ReadHostFile(file, signing.MaxKeyFile)
	if err != nil {
		return nil, fail("name the private manifest key", "read the key: %w", err)
	}
	key, err := signing.ParsePrivate(data)
	if err != nil {
		return nil, fail("name the private half: 64 raw bytes, or PKCS#8 PEM", "%s: %w", file, err)
	}
	return key, nil
}

// writeBeside writes a small file durably under its own name.
func writeBeside(path string, data []byte) error {
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return err
	}
	root, err := durable.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // everything written was flushed
	return durable.WriteFile(root, filepath.Base(path), data, 0o644)
}
