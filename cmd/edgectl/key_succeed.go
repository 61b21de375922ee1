package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/keychange"
	"github.com/autonomyops/edged/machine"
)

func keyRotate(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "change a key, by a statement that the old key signs",
		Long: `rotate changes the key that manifests or checkpoints are signed with. The old key
signs that the new one follows it, and the journal keeps the statement: it
extends the trust in the old key to the new one.`,
		Example: `  edgectl key rotate manifest --old keys/manifest-verify.key --new next/manifest-verify.key
  edgectl key rotate checkpoint --state-root /persist/edge`,
	}
	cmd.AddCommand(rotateManifest(e), rotateCheckpoint(e))
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
private --new the deployed manifest is signed again, if its signature holds now;
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
			next, err := keychange.ReadSuccessor(newFile)
			if err != nil {
				return err
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			change, err := keychange.RotateManifest(e.appendTo(cmd), root, old, next)
			return e.changedManifest(change, err)
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

With a private --new the deployed manifest is signed again, if its signature
holds now. If the old key is not trusted, neither is what it signed: pass the
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
			next, err := keychange.ReadSuccessor(newFile)
			if err != nil {
				return err
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			change, err := keychange.ReplaceManifest(e.appendTo(cmd), root, keychange.Author{By: by.by, Reason: by.reason}, next)
			return e.changedManifest(change, err)
		},
	}
	by.flags(cmd)
	cmd.Flags().StringVar(&newFile, "new", "", "the new key, private or public")
	e.jsonFlag(cmd)
	return cmd
}

// appendTo is operate for a change of keys.
func (e *env) appendTo(cmd *cobra.Command) keychange.Append {
	return func(decide func(machine.State) (machine.Payload, error)) (machine.Event, error) {
		event, _, err := e.operate(cmd, decide)
		return event, err
	}
}

func (e *env) changedManifest(c keychange.Change, err error) error {
	return e.changed(c, "the node's verify key is "+c.Key+"\n", err)
}

// changed prints a change of keys; news is for one that was journaled now.
func (e *env) changed(c keychange.Change, news string, err error) error {
	switch {
	case err != nil:
		return err
	case c.Event.Seq != 0:
		return e.printAppended(c.Event, news+c.Next)
	case e.json: // nothing new was journaled: no record, and no data
		return writeJSON(e.stdout, journaled{Journal: c.Journal})
	}
	_, err = fmt.Fprintf(e.stdout, "the journal names this key already; it is in place\n%s\n", c.Next)
	return err
}
