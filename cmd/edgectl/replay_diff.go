package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/replay"
)

// between is what differs from one point to another.
type between struct {
	From where `json:"from"`
	To   where `json:"to"`
	Same bool  `json:"same"`
	replay.Difference
}

func replayDiff(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "show what changed between two points",
		Long: `diff compares the state of the node at two points, each written as for
replay --at: the lines of os-release that differ, the kernel, the manifest with
its serial and key, and the files installed, by hash. Neither needs to be the
earlier one.`,
		Example: `  edgectl replay diff epoch:2 epoch:3 --state-root /persist/edge
  edgectl replay diff time:7d seq:812 --journal evidence.jsonl --json`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: commandline.Completer(e.completePoint),
		RunE: func(_ *cobra.Command, args []string) error {
			var points [2]replay.Point
			now := time.Now()
			for i, arg := range args {
				var err error
				if points[i], err = parsePoint(arg, now); err != nil {
					return err
				}
			}
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			a, err := stateAt(src, points[0])
			if err != nil {
				return err
			}
			b, err := stateAt(src, points[1])
			if err != nil {
				return err
			}
			d := between{From: a.At, To: b.At, Difference: replay.Compare(a.State, b.State)}
			d.Same = d.Difference.Same()
			if e.json {
				return e.writeRead(d)
			}
			_, err = io.WriteString(e.stdout, display.Difference(d.From.String(), d.To.String(), d.Difference))
			return err
		},
	}
	e.jsonFlag(cmd)
	return cmd
}
