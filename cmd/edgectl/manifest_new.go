package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/cmd/edgectl/internal/authoring"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/manifest"
)

func manifestNew(e *env) *cobra.Command {
	var binaries, configs []string
	var binaryPath, notAfter, out string
	var serial, rollback int64
	cmd := &cobra.Command{
		Use:   "new",
		Short: "build a manifest from the files of a state root",
		Long: `new prints a manifest whose operations are pinned to the content that their
sources have now. SRC is relative to runtime/binaries/ (--copy-binary) or
bootstrap/ (--install-config) of the state root, DST to the state root; MODE is
octal. Operations are applied in the order: binaries, then configs.`,
		Example: `  edgectl manifest new --state-root /persist/edge --serial 7 \
    --copy-binary edged:runtime/edged --install-config app.yaml:runtime/app.yaml:0640 \
    --out /persist/edge/runtime/manifest.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m := authoring.Manifest{Version: "1", BinaryPath: binaryPath}
			if cmd.Flags().Changed("serial") {
				m.Serial = &serial
			}
			if cmd.Flags().Changed("allow-rollback-from") {
				m.AllowRollbackFrom = &rollback
			}
			if notAfter != "" {
				t, err := parseInstant("--not-after", notAfter)
				if err != nil {
					return err
				}
				m.NotAfter = &t
			}
			var bad []error
			for _, list := range []struct {
				op    string
				specs []string
			}{{manifest.CopyBinary, binaries}, {manifest.InstallConfig, configs}} {
				for _, spec := range list.specs {
					op, err := authoring.ParseOperation(list.op, spec)
					bad = append(bad, err)
					m.Operations = append(m.Operations, op)
				}
			}
			if err := errors.Join(bad...); err != nil {
				return fail("for instance --copy-binary edged:runtime/edged:0755", "%w", err)
			}
			root, err := e.root()
			if err != nil {
				return err
			}
			tree, err := durable.OpenRootReadOnly(root)
			if err != nil {
				return fail("name a state root that edgectl init laid out", "state root: %w", err)
			}
			defer tree.Close() //nolint:errcheck // read-only
			data, err := authoring.Build(tree, root, m)
			if err != nil {
				return fail("put the files in place, or correct the paths", "build the manifest: %w", err)
			}
			write := func(w io.Writer) error {
				_, err := w.Write(data)
				return err
			}
			if out == "" || out == "-" {
				return write(e.stdout)
			}
			return export.File(out, "", write)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&binaries, "copy-binary", nil, "SRC:DST[:MODE], may be repeated")
	f.StringArrayVar(&configs, "install-config", nil, "SRC:DST[:MODE], may be repeated")
	f.StringVar(&binaryPath, "binary-path", manifest.DefaultBinary, "the runtime's binary, relative to runtime/binaries/")
	f.Int64Var(&serial, "serial", 0, "the manifest's serial: a node never goes back to a lower one")
	f.Int64Var(&rollback, "allow-rollback-from", 0, "the serial from which this manifest may be gone back to")
	f.StringVar(&notAfter, "not-after", "", "the time after which it is refused: RFC 3339 or a date")
	f.StringVar(&out, "out", "", "the file to write (default: standard output)")
	return cmd
}
