package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/buildinfo"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history"
)

func auditBundle(e *env) *cobra.Command {
	var out string
	var unsigned bool
	cmd := &cobra.Command{
		Use:   "bundle --out FILE|-",
		Short: "write one file that holds a history and all that checks it",
		Long: `bundle writes a .tar.zst: the exact records, a checkpoint over exactly these,
signed with the node's identity/journal-sign.key, the public keys, manifest,
signature and evidence of every epoch, the records that a salvage kept of the
journal before, a list of hashes, a README, and verify.py, which checks all of it
with Python, b3sum and openssl alone (check.sh calls it). No private key is ever
in it.

A file is written beside and renamed; "-" is standard output. The same history
yields the same bytes. If the key cannot be read (a seized disk, an export), pass
--unsigned: the bundle then says that no signature vouches for its records. Of a
history that is damaged or incomplete nothing is signed: that is exit status 1,
also with --unsigned, which writes what there is.`,
		Example: `  edgectl audit bundle --out audit.tar.zst --state-root /persist/edge
  edgectl audit bundle --out - --unsigned --journal /mnt/evidence | ssh auditor 'cat >node12.tar.zst'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return fail("pass --out FILE, or --out - for standard output", "an audit bundle needs a place to be written to")
			}
			open := e.openWhole
			if unsigned {
				open = e.openAny
			}
			src, err := open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			if err := wrong(e.bundle(cmd, src, out, unsigned)); err != nil {
				return err
			}
			if e.damage != nil {
				return errWrong // it was reported
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "the file to write, or - for standard output")
	f.BoolVar(&unsigned, "unsigned", false, "without a checkpoint, if the node's key is not at hand")
	e.target.evidenceFlag(f)
	return cmd
}

// unsealed says what to do if the bundle cannot be signed.
func unsealed(src *history.Source, err error) error {
	if !errors.Is(err, audit.ErrNoKey) {
		return err
	}
	return fail("run it on the node, where the key is, or pass --unsigned", "sign the bundle of %s: %w", src.Path(), err)
}

func (e *env) bundle(cmd *cobra.Command, src *history.Source, out string, unsigned bool) error {
	opt := audit.Options{Software: buildinfo.Software("edgectl"), Progress: e.progress.at}
	if !unsigned {
		var err error
		if opt.Checkpoint, opt.Public, err = audit.Seal(cmd.Context(), src, e.progress.at); err != nil {
			return unsealed(src, err)
		}
	}
	var done audit.Written
	write := func(w io.Writer) (err error) {
		done, err = audit.Write(cmd.Context(), w, src, opt)
		return err
	}
	var err error
	if out == "-" {
		err = write(e.stdout)
	} else {
		err = export.File(out, src.Path(), write)
	}
	if err != nil {
		return err
	}
	for _, note := range done.Notes {
		fmt.Fprintf(e.stderr, "edgectl: %s\n", display.Clean(note))
	}
	return nil
}
