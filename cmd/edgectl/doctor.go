package main

import (
	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/buildinfo"
	"github.com/autonomyops/edged/internal/doctor"
)

func doctorCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "report what would end the next boot or reconstruction, and what repairs it",
		Long: `doctor makes the checks of the gate without a boot: would the next boot pass, and
the next boot that has to reconstruct? It goes on after a finding, so that all of
them are reported in one run. It also verifies the whole journal and looks at the
units, the days that the certificates have left, and the space.

Each finding has a stable code and, if a command repairs it, that command. A word
of it in capital letters is a placeholder: for a file, or for a reason. doctor
changes nothing, also on a live node.

Exit status: 0 no error was found, 1 an error was found, 2 the examination could
not be carried out.`,
		Example: `  edgectl doctor
  edgectl doctor --json | jq -r '.findings[] | select(.severity == "error").code'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt, err := e.examined()
			if err != nil {
				return err
			}
			if opt.StateRoot != "" {
				e.warnLogSkipped(opt.StateRoot)
			}
			opt.Journal, opt.LogSkipped, opt.Progress = true, e.logSkipped, e.progress.at
			rep, err := doctor.Examine(cmd.Context(), opt)
			if err != nil {
				return err
			}
			if e.json {
				err = writeJSON(e.stdout, rep)
			} else {
				err = rep.Print(e.stdout)
			}
			if !rep.OK {
				return errWrong
			}
			return err
		},
	}
	e.jsonFlag(cmd)
	return cmd
}

// examined is the node that is meant, for an examination.
func (e *env) examined() (doctor.Options, error) {
	root, cfg, elsewhere, err := e.node()
	return doctor.Options{StateRoot: root, Config: cfg, Elsewhere: elsewhere, Software: buildinfo.Software("edgectl"), BuildTime: buildinfo.Time(),
		Host: e.host(), System: e.system}, err
}
