package main

import (
	"github.com/spf13/cobra"
)

func keyCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "make, show and change keys",
		Long: `Manifests are signed with Ed25519: identity/manifest-verify.pub on the node is
32 raw bytes, the private key 64 raw bytes (seed, then public key) and kept off
the node. PEM (PKCS#8, SPKI) is read as well.

Checkpoints are signed with identity/journal-sign.key, which edgectl init makes
on the node: one line of text, in the form of signed notes.`,
		Example: `  edgectl key generate --out keys
  edgectl key show keys/manifest-verify.pub`,
	}
	cmd.AddCommand(keyGenerate(e), keyShow(e), keyRotate(e), keyReplace(e))
	return cmd
}
