package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/transparency"
)

func journalProve(e *env) *cobra.Command {
	var seq, size uint64
	var from string
	var s sealing
	cmd := &cobra.Command{
		Use:   "prove --seq N | --from CHECKPOINT | --from-size N",
		Short: "prove that a record is in the journal, or that the journal only grew",
		Long: `prove --seq N proves that record N is in the journal, as a C2SP tlog-proof with
a signed checkpoint in it: with the record's bytes (journal export, one line)
and the node's public checkpoint key anybody can verify it.

prove --from CHECKPOINT proves that the records of an older checkpoint are still
there, unchanged and in their place, and that others were only added: the hashes
of an RFC 6962 consistency proof, and a signed checkpoint of now. It exits 1 if
they are not. The signature of the old checkpoint is not judged here (see audit
verify --since). --from-size N proves the same to a witness, which knows only
the number of records.

The proof is to a new checkpoint of the whole journal, or to the one that
--checkpoint names: that needs no private key.`,
		Example: `  edgectl journal prove --seq 17 >17.tlog-proof
  edgectl journal prove --from monday.checkpoint
  edgectl journal prove --from-size 812 --json
  edgectl journal prove --seq 17 --checkpoint friday.checkpoint --journal history.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ways := 0
			for _, name := range []string{"seq", "from", "from-size"} {
				if cmd.Flags().Changed(name) {
					ways++
				}
			}
			if ways != 1 {
				return fail("pass --seq N, --from CHECKPOINT, or --from-size N", "prove needs to know what to prove")
			}
			src, err := e.openSealed()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			switch {
			case cmd.Flags().Changed("seq"):
				return e.proveRecord(cmd, src, seq, s)
			case from != "":
				return e.proveGrowth(cmd, src, from, s)
			}
			return e.proveFromSize(cmd, src, size, s)
		},
	}
	cmd.Flags().Uint64Var(&seq, "seq", 0, "the record to prove")
	cmd.Flags().StringVar(&from, "from", "", "the older checkpoint to prove consistency with")
	cmd.Flags().Uint64Var(&size, "from-size", 0, "the older number of records to prove consistency with")
	s.flags(cmd)
	e.jsonFlag(cmd)
	return cmd
}

func (e *env) proveRecord(cmd *cobra.Command, src *history.Source, seq uint64, s sealing) error {
	if tip := src.Tip().Seq; seq == 0 || seq > tip {
		return fail("name one of them", "there is no record %d: here are those from %d to %d", seq, src.First(), tip)
	}
	tree, signed, err := e.commit(cmd, src, s)
	if err != nil {
		return err
	}
	proof, err := tree.Inclusion(seq, signed)
	switch {
	case errors.Is(err, transparency.ErrOther):
		return e.rewritten(s.checkpoint, err)
	case err != nil:
		return err
	case e.json:
		return writeJSON(e.stdout, proof)
	}
	_, err = e.stdout.Write(proof.Text())
	return err
}

func (e *env) proveGrowth(cmd *cobra.Command, src *history.Source, from string, s sealing) error {
	text, err := durable.ReadHostFile(from, transparency.MaxCheckpoint)
	if err != nil {
		return fail("name a checkpoint file", "read the older checkpoint: %w", err)
	}
	old, err := transparency.Read(text)
	if err != nil {
		return fail("edgectl journal checkpoint makes one", "%s: %w", from, err)
	}
	tree, signed, err := e.commit(cmd, src, s)
	if err != nil {
		return err
	}
	proof, err := tree.Consistency(old, signed)
	if errors.Is(err, transparency.ErrOther) || errors.Is(err, transparency.ErrSize) {
		return e.rewritten(from, err)
	}
	return e.printConsistency(proof, err)
}

func (e *env) proveFromSize(cmd *cobra.Command, src *history.Source, size uint64, s sealing) error {
	tree, signed, err := e.commit(cmd, src, s)
	if err != nil {
		return err
	}
	old, err := tree.At(size)
	if err != nil {
		return fail("name a number of records that this history has", "%w", err)
	}
	proof, err := tree.Consistency(old, signed)
	if errors.Is(err, transparency.ErrOther) { // the named checkpoint is over other records
		return e.rewritten(s.checkpoint, err)
	}
	return e.printConsistency(proof, err)
}

func (e *env) printConsistency(proof transparency.Consistency, err error) error {
	switch {
	case err != nil:
		return err
	case e.json:
		return writeJSON(e.stdout, proof)
	}
	_, err = e.stdout.Write(proof.Text())
	return err
}

// rewritten ends a command that has found the history not to be the one that
// somebody holds a checkpoint of.
func (e *env) rewritten(file string, err error) error {
	fmt.Fprintf(e.stderr, "edgectl: %s: %s\n  next: keep the disk as it is; edgectl audit verify --since distinguishes rewritten, cut short and salvaged\n", file, err)
	return errWrong
}
