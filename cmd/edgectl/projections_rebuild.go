package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/gate"
	"github.com/autonomyops/edged/internal/status"
	"github.com/autonomyops/edged/machine"
)

// rebuilt is what projections rebuild prints as JSON.
type rebuilt struct {
	compared             // afterwards
	Repaired []journaled `json:"repaired"`
}

func projectionsRebuild(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "write the files that differ from the journal again",
		Long: `rebuild writes each file that is missing, edited or old again. It first journals
what it found. The pins of the config are not checked: that is the next boot's.

A fingerprint file that is cause for a reconstruction stays as it is: the next
boot finds it and reconstructs. Nothing is written if a file is of another
history.

Exit status: 0 every file agrees or is not judged now, 1 one does not, 2 it
could not be done.`,
		Example: `  edgectl projections rebuild
  edgectl projections rebuild --json | jq -r '.repaired[].data.reason'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := e.root()
			if err != nil {
				return err
			}
			done, err := gate.RebuildProjections(cmd.Context(), root, e.operator())
			if err != nil {
				return operateError(root, err)
			}
			r := rebuilt{newCompared(done.Journal, status.Describe(done.After)), []journaled{}}
			for _, event := range done.Repairs {
				r.Repaired = append(r.Repaired, newJournaled(event))
			}
			if e.json {
				err = writeJSON(e.stdout, r)
			} else {
				err = r.print(e.stdout)
			}
			if err == nil && !r.OK {
				return errWrong
			}
			return err
		},
	}
	e.jsonFlag(cmd)
	return cmd
}

func (r rebuilt) print(w io.Writer) error {
	for _, j := range r.Repaired {
		if p, ok := j.Data.(machine.ProjectionRepaired); ok {
			if _, err := fmt.Fprintf(w, "journaled record %d: %s was %s\n", j.Seq, p.Path, p.Reason); err != nil {
				return err
			}
		}
	}
	return r.compared.print(w)
}
