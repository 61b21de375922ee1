package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

func journalLog(e *env) *cobra.Command {
	var want filter
	var since, until string
	var newest int
	var follow bool
	cmd := &cobra.Command{
		Use:   "log",
		Short: "print the history, newest last",
		Long: `log prints the history, one record a line, newest last: its seq, wall-clock time
in UTC, the epoch in force after it, its type, and what happened. On a terminal
long lines are wrapped. log does not judge (see verify): it shows what can be
read of a damaged history, also after what cannot be read. Then it reports what
is missing, and the exit status is 2. --json prints the exact bytes of each
record.

The journal's own bookkeeping, SnapshotTaken, is shown with --snapshots or
--type SnapshotTaken only.

Filters combine: a record must pass each of them. Clocks lie; order is by seq.
What cannot be read and may have passed them is counted on standard error.

With --follow it goes on with what is appended, on a live node too: it looks
twice a second, and changes nothing. When a salvage swaps in a new journal, it
goes on with that. It ends when it is interrupted or its output is closed.

The types of records:
` + listTypes(),
		Example: `  edgectl journal log --since 7d --state-root /persist/edge
  edgectl journal log --type EpochRotated,PrecheckFailed --journal evidence.jsonl
  edgectl journal log --json --epoch 3 | jq -r .time
  edgectl journal log --follow -n 10 --state-root /persist/edge`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			var err error
			if want.since, err = parseTime("--since", since, now); err != nil {
				return err
			}
			if want.until, err = parseEnd("--until", until, now); err != nil {
				return err
			}
			if newest < 0 {
				return fail("pass a number from 1, or 0 for all", "--lines is %d", newest)
			}
			want.prepare()
			want.byEpoch = cmd.Flags().Changed("epoch")
			for _, t := range want.unknown() {
				fmt.Fprintf(e.stderr, "edgectl: %q is no type of record that this binary knows; a newer one may have written some (--help lists the types)\n", t)
			}
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			shown, err := e.log(cmd, src, want, newest, src.First(), src.Tip().Seq)
			if err == nil && shown == 0 && !want.all() && src.Tip().Seq > 0 {
				fmt.Fprintf(e.stderr, "edgectl: no record passes the filter; the history has the records %d to %d\n", src.First(), src.Tip().Seq)
			}
			if !follow {
				return err
			}
			if err == nil {
				err = e.follow(cmd.Context(), src.Path(), positionOf(src), e.tick, func(src *history.Source, from uint64) error {
					_, err := e.log(cmd, src, want, 0, from, src.Tip().Seq)
					return err
				})
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&want.types, "type", nil, "only these types, separated by commas")
	f.Uint64Var(&want.epoch, "epoch", 0, "only records with this epoch in force")
	f.StringVar(&since, "since", "", "only records not before: RFC 3339, a date, or an age such as 36h or 7d")
	f.StringVar(&until, "until", "", "only records not after, in the form of --since; without a fraction, all of that second")
	f.StringVar(&want.boot, "boot", "", "only records of this boot id (or its beginning)")
	f.StringVar(&want.run, "run", "", "only records of this run (or its beginning)")
	f.BoolVar(&want.snapshots, "snapshots", false, "also the records that vouch for snapshots (SnapshotTaken)")
	f.IntVarP(&newest, "lines", "n", 0, "only the newest so many; 0 for all")
	f.BoolVarP(&follow, "follow", "f", false, "go on with what is appended, until interrupted")
	e.jsonFlag(cmd)
	commandline.Complete(cmd, "type", completeTypes)
	commandline.Complete(cmd, "epoch", e.completeEpoch)
	return cmd
}

// recordTypes are the types of records that this binary knows, in order.
func recordTypes() []string {
	var names []string
	for _, k := range machine.Kinds() {
		names = append(names, string(k))
	}
	slices.Sort(names)
	return names
}

// listTypes writes them for a screen of 80 columns.
func listTypes() string {
	const columns = 78
	var b strings.Builder
	used := 0
	for _, name := range recordTypes() {
		if used > 0 && used+1+len(name) > columns {
			b.WriteByte('\n')
			used = 0
		}
		if used == 0 {
			name = "  " + name
		} else {
			name = " " + name
		}
		b.WriteString(name)
		used += len(name)
	}
	return b.String()
}

// log streams the lines of the records from to to that pass the filter, and
// goes on after what cannot be read. With a limit, only the newest lines are
// kept until the end is reached. It returns how many records passed; the error
// is of the first record that is not there, when all else was shown.
func (e *env) log(cmd *cobra.Command, src *history.Source, want filter, newest int, from, to uint64) (passed uint64, err error) {
	begin := from
	if want.all() && newest > 0 && to >= from && uint64(newest) < to-from+1 {
		begin = to - uint64(newest) + 1
	}
	l, err := e.readLog(cmd.Context(), src, want, newest, begin, to)
	for err == nil && begin > from && l.passed < uint64(newest) {
		// Some were hidden, or are gone: the newest so many begin earlier.
		begin -= min(begin-from, to-begin+1)
		l, err = e.readLog(cmd.Context(), src, want, newest, begin, to)
	}
	// What was kept is shown whatever stopped the reading.
	if err := cmp.Or(l.flush(), err); err != nil {
		return l.passed, err
	}
	return l.passed, l.remark(e.stderr)
}

// readLog reads the records from to to. The error is that of the output or of
// ctx.
func (e *env) readLog(ctx context.Context, src *history.Source, want filter, newest int, from, to uint64) (*logged, error) {
	l := &logged{src: src, want: want, json: e.json, out: bufio.NewWriterSize(e.stdout, 64<<10),
		keep: newLastLines(newest), lines: display.NewLines(src.Tip().Seq, e.columns), order: replay.NewOrder(from)}
	for piece, err := range replay.Onward(ctx, src, from, to) {
		if err == nil {
			e.progress.at("log", piece.Seq-from, to-from+1)
			err = l.take(piece)
		}
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

func writeLine(out *bufio.Writer, line string) error {
	if _, err := out.WriteString(line); err != nil {
		return err
	}
	return out.WriteByte('\n')
}
