package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/report"
)

func reportCommand(e *env) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "report --html FILE",
		Short: "write the history as one page to look at",
		Long: `report writes the whole history as one HTML page that a browser opens, without a
network and without a server: the verdict of a verification and what it covers,
the flags, a timeline of epochs and boots, what changed at each update, the
evidence of each epoch, and every record with the state before and after. It is what
audit verify, replay explain, replay diff and journal show print.

The page is one file, to be mailed and archived. The same history gives the same
bytes. Nothing is judged by the exit status: a damaged history is shown as far
as it can be read, and the page says what could not be.`,
		Example: `  edgectl report --html depot-07.html --state-root /persist/edge
  edgectl report --html depot-07.html --journal audit.tar.zst`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return fail("pass --html FILE, or --html - for standard output", "report needs a file to write")
			}
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			write := func(w io.Writer) error {
				return report.Write(cmd.Context(), w, src, audit.VerifyOptions{LogSkipped: e.logSkipped, Progress: e.progress.at})
			}
			if file == "-" {
				return write(e.stdout)
			}
			return exportError(file, export.File(file, src.Path(), write))
		},
	}
	e.target.evidenceFlag(cmd.Flags())
	cmd.Flags().StringVar(&file, "html", "", "the file to write, or - for standard output")
	return cmd
}
