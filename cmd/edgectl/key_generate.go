package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/signing"
)

// madeKey is what key generate prints as JSON.
type madeKey struct {
	Public  string `json:"public"`
	Private string `json:"private"`
	BLAKE3  string `json:"blake3"`
}

func keyGenerate(e *env) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "generate --out DIR",
		Short: "make a manifest key pair",
		Long: `generate writes manifest-verify.pub (32 raw bytes, for the node's identity/)
and manifest-verify.key (64 raw bytes, mode 0600, to be kept off the node). It
never overwrites a key.`,
		Example: `  edgectl key generate --out keys
  install -m 644 keys/manifest-verify.pub /persist/edge/identity/`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return fail("pass --out DIR", "key generate needs a directory to write to")
			}
			key, err := writeKeyPair(out)
			if err != nil {
				return err
			}
			if e.json {
				return writeJSON(e.stdout, key)
			}
			_, err = fmt.Fprintf(e.stdout, "public   %s\nprivate  %s\nblake3   %s\n", key.Public, key.Private, key.BLAKE3)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the directory for the two files; made if missing")
	e.jsonFlag(cmd)
	return cmd
}

// writeKeyPair makes a key pair in dir, which is made if it is missing.
func writeKeyPair(dir string) (madeKey, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return madeKey{}, fail("name a directory that you may make or write to", "generate a key: %w", err)
	}
	key, err := signing.Generate()
	if err != nil {
		return madeKey{}, fmt.Errorf("generate a key: %w", err)
	}
	if err := signing.WriteKeyPair(dir, key); err != nil {
		return madeKey{}, fmt.Errorf("%s: %w", dir, err)
	}
	return madeKey{
		Public: filepath.Join(dir, signing.VerifyKeyName), Private: filepath.Join(dir, signing.SignKeyName),
		BLAKE3: signing.Hash(signing.Public(key)),
	}, nil
}
