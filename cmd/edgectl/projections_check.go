package main

import (
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/status"
	"github.com/autonomyops/edged/replay"
)

func projectionsCheck(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "compare the files with a replay of the journal",
		Long: `check replays the journal and compares each file with the one that the state
projects. It changes nothing.

  agrees      the file is what the journal says
  not judged  in this state there is nothing to compare it with
  repair      missing, edited or old: the next boot writes it again
  cause       an edited fingerprint: the next boot reconstructs
  foreign     of another history: the next boot refuses

Exit status: 0 every file agrees or is not judged, 1 one does not, 2 there is no
journal to compare with.`,
		Example: `  edgectl projections check
  edgectl projections check --json | jq -r '.files[] | select(.health != "agrees").path'`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			src, err := e.openWhole()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			if src.Kind() != history.StateRoot {
				return fail("name a state root", "%s has no projections: it is no state root", src.Path())
			}
			state, _, err := replay.State(src, src.Tip().Seq)
			if err != nil {
				return err
			}
			files, err := status.Projections(src, state)
			if err != nil {
				return err
			}
			c := newCompared(src.ID(), files)
			if e.json {
				err = writeJSON(e.stdout, c)
			} else {
				err = c.print(e.stdout)
			}
			if err == nil && !c.OK {
				return errWrong
			}
			return err
		},
	}
	e.target.evidenceFlag(cmd.Flags())
	e.jsonFlag(cmd)
	return cmd
}
