package main

import (
	"bufio"
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/replay/explain"
)

func replayExplain(e *env) *cobra.Command {
	var epoch uint64
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "explain why each epoch began, what was done, and what deserves a second look",
		Long: `explain reports causes rather than records. For each epoch: why it began (with the lines
of os-release and the kernel that changed), what was verified under which key,
what was applied, the attempts that failed or were interrupted, the time spent,
the clean boots since, and what else happened.

What deserves a second look is flagged with a short code; operations.md has a
table of them. Nothing is judged: a damaged history is explained as far as it can be
read, what could not be read is said, and the exit status is 0.`,
		Example: `  edgectl replay explain --state-root /persist/edge
  edgectl replay explain --epoch 3 --journal evidence.jsonl
  edgectl replay explain --json | jq -r '.epochs[].flags[].code'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			opt := explain.Options{Progress: func(done, total uint64) { e.progress.at("explain", done, total) }}
			if cmd.Flags().Changed("epoch") {
				opt.Epoch = &epoch
			}
			rep, err := explain.Explain(cmd.Context(), src, opt)
			if err != nil {
				return err
			}
			for _, path := range predecessors(src) {
				fmt.Fprintf(e.stderr, "edgectl: what was kept of the journal before: --journal %s\n", path)
			}
			if e.json {
				return e.writeRead(rep)
			}
			out := bufio.NewWriterSize(e.stdout, 64<<10)
			return cmp.Or(display.Report(out, rep), out.Flush())
		},
	}
	cmd.Flags().Uint64Var(&epoch, "epoch", 0, "only this epoch")
	commandline.Complete(cmd, "epoch", e.completeEpoch)
	e.jsonFlag(cmd)
	return cmd
}

// predecessors are the records that salvages have kept, beside a journal that
// continues others.
func predecessors(src *history.Source) (paths []string) {
	if src.Kind() != history.StateRoot {
		return nil
	}
	names, err := src.FS().ReadDir(".")
	if err != nil {
		return nil // this is a hint, not the story
	}
	for _, n := range names {
		at := n.Name + "/" + stateroot.PredecessorRecords
		if _, err := src.FS().Lstat(at); strings.HasPrefix(n.Name, stateroot.JournalSalvage) && err == nil {
			paths = append(paths, filepath.Join(src.Path(), at))
		}
	}
	return paths
}
