package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/hub"
)

func keyCommand(e *env) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "key NAME --out FILE",
		Short: "make the hub's key, and print its public half",
		Long: `key makes the key with which the hub signs what it holds. NAME is in every
signature, for example the hub's host name. The public key that it prints goes into
ship.yaml of every node, and to auditors.

Keep the file outside the store: who has both can rewrite history. After a restore of
the store make a new key, with another name, and retire the old one.`,
		Example: `  edgehub key hub.example.org --out hub.key`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				return fail("pass --out FILE", "key needs a file to write")
			}
			key, text, err := hub.GenerateKey(args[0])
			if err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return fail("name another file: a key that is overwritten is lost", "%s exists", out)
			}
			if err != nil {
				return fail("check that its directory exists and that you may write there", "%w", err)
			}
			_, err = f.WriteString(text)
			if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(e.stdout, key.Public())
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to write, with mode 0600")
	return cmd
}
