package main

import (
	"errors"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/hub"
)

func exportCommand(e *env) *cobra.Command {
	var format, out, node string
	cmd := &cobra.Command{
		Use:   "export --out DIR",
		Short: "write the records of all nodes for DuckDB, Trino and Spark",
		Long: `export writes the records of all journals into few Parquet files, sorted by node and
sequence: the columns of edgectl journal export --format parquet, and received_at, when the
hub received the record. It needs the store alone, and memory does not grow with it.
docs/hub.md has queries.

Exit status: 0 all is written, 1 a journal is left out because the store is damaged, 2 it
could not be done.`,
		Example: `  edgehub export --store /srv/edgehub --format parquet --out fleet/
  edgehub export --store s3://fleet/edgehub --node 'depot-*' --out depots/`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case out == "":
				return fail("pass --out DIR", "export needs a directory to write to")
			case format != "parquet":
				return fail("pass --format parquet; edgectl journal export writes others, of one journal", "there is no format %q for a fleet", format)
			}
			chosen, err := hub.MatchNode(node)
			if errors.Is(err, path.ErrBadPattern) {
				return fail("use * and ? in it, for example 'depot-*'", "--node %q: %w", node, err)
			}
			store, err := e.read(cmd.Context())
			if err != nil {
				return err
			}
			done, err := hub.Export(cmd.Context(), store, out, chosen)
			switch {
			case errors.Is(err, hub.ErrNotEmpty):
				return fail("name a new directory", "%w", err)
			case err != nil:
				return err
			case e.json:
				if err := e.print(done); err != nil || len(done.Damaged) == 0 {
					return err
				}
				return errWrong
			}
			for _, d := range done.Damaged {
				fmt.Fprintf(e.stderr, "edgehub: journal %s is left out: %s\n", d.Journal, display.Clean(d.Reason))
			}
			for _, id := range done.Forgotten {
				fmt.Fprintf(e.stderr, "edgehub: journal %s is left out: its records were removed\n", id)
			}
			_, err = fmt.Fprintf(e.stdout, "%s of %s in %s\n", display.Count(int(done.Records), "record"), display.Count(done.Journals, "journal"), display.Count(len(done.Files), "file")) //nolint:gosec // below 2^63
			if err == nil && len(done.Damaged) > 0 {
				return errWrong
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "parquet", "parquet")
	cmd.Flags().StringVar(&out, "out", "", "the directory to write to; it must be empty, or is made")
	cmd.Flags().StringVar(&node, "node", "*", "only the nodes whose name matches, with * and ?")
	e.jsonFlag(cmd)
	return cmd
}
