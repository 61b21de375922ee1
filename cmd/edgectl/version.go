package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/buildinfo"
)

func versionCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "print version, commit, Go version, os/arch",
		Example: "  edgectl version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(e.stdout, buildinfo.String("edgectl"))
			return err
		},
	}
}
