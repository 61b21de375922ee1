package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/status"
)

func projectionsCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "projections",
		Short: "the files that are views of the journal",
		Long: `The projections are the files that people and daemons read: the fingerprint of
the operating system, and the evidence of the current and the previous epoch.
The journal is the truth, and the files are views of it.`,
		Example: `  edgectl projections check
  edgectl projections rebuild`,
	}
	cmd.AddCommand(projectionsCheck(e), projectionsRebuild(e))
	return cmd
}

// compared is what these commands print as JSON.
type compared struct {
	OK      bool                `json:"ok"` // every file agrees, or is not judged
	Journal string              `json:"journal"`
	Files   []status.Projection `json:"files"`
}

func newCompared(journal string, files []status.Projection) compared {
	c := compared{true, journal, files}
	for _, f := range files {
		c.OK = c.OK && f.OK()
	}
	return c
}

func (c compared) print(w io.Writer) error {
	for _, f := range c.Files {
		line := fmt.Sprintf("%-10s  %s", strings.ReplaceAll(f.Health, "_", " "), f.Path)
		if f.Detail != "" {
			line += ": " + display.Clean(f.Detail)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
