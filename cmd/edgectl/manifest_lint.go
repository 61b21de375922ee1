package main

import (
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/cmd/edgectl/internal/authoring"
	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/manifest"
)

func manifestLint(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lint [FILE]",
		Short: "explain every problem of a manifest",
		Long: `lint explains every problem of a manifest in one run: of its text, and, where a
state root is named, of its operations there: paths that escape, sources that
are missing or are not what is pinned, destinations that are not allowed. FILE
defaults to the state root's. Signatures are manifest verify's.`,
		Example: `  edgectl manifest lint manifest.json
  edgectl manifest lint --state-root /persist/edge --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			at, err := e.manifestAt(args)
			if err != nil {
				return err
			}
			defer at.close()
			data, err := at.read()
			if err != nil {
				return err
			}
			j := judged{File: at.path, Hash: digest.Of(data)}
			j.add(authoring.Lint(at.fs(), at.root, data)...)
			if m, err := manifest.Parse(data); err == nil {
				j.Serial, j.Operations = m.Serial, len(m.Operations)
			}
			good := "no problems"
			if at.tree == nil {
				good = "no problems in its text; name a state root to check its operations"
			}
			return e.verdict(j, good)
		},
	}
	e.jsonFlag(cmd)
	return cmd
}
