package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
)

func journalVerify(e *env) *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "check the whole journal; exit 1 when something is wrong",
		Long: `verify walks the whole journal: the form, hash, place and link of each record,
and the head file. --deep adds what only the state machine can judge: events
that no gate writes in that state, projections and snapshots that a full replay
does not reproduce, manifests whose signature or key continuity does not hold, and a
salvage whose floors are below the records kept of the journal before. It also
compares the checksum of every block of the journal's tables, those that
hold no record included.

Findings are errors or warnings; only an error makes the exit status 1.`,
		Example: `  edgectl journal verify --deep --state-root /persist/edge
  edgectl journal verify --journal export.jsonl --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := e.evidence()
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				// What is live is a few megabytes, what passes through is the
				// whole history: collected at the default pace, a sixth of the
				// time goes into it.
				defer debug.SetGCPercent(debug.SetGCPercent(400))
			}
			rep, err := verify.Path(cmd.Context(), path, verify.Options{Deep: deep, LogSkipped: e.logSkipped, Progress: e.progress.at})
			if err != nil {
				return err
			}
			if e.json {
				err = writeJSON(e.stdout, rep)
			} else {
				err = printReport(e.stdout, rep, deep)
			}
			if !rep.OK {
				return errWrong // also if the report could not be written
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "also replay it and check projections, snapshots and manifests")
	e.jsonFlag(cmd)
	return cmd
}

func printReport(w io.Writer, r verify.Report, deep bool) error {
	for _, f := range r.Findings {
		place := "journal"
		if f.Seq > 0 {
			place = fmt.Sprintf("record %d", f.Seq)
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s: %s\n", f.Severity, place, f.Code, display.Clean(f.Detail)); err != nil {
			return err
		}
	}
	errs, skipped := 0, false
	for _, f := range r.Findings {
		if f.Severity == journal.SeverityError {
			errs++
		}
		skipped = skipped || f.Code == verify.CodeLogSkipped
		// What is damaged, or was not judged to its end, is not verified.
		if f.Code == verify.CodeStopped || f.Severity == journal.SeverityError {
			deep = false
		}
	}
	verdict := "intact"
	if errs > 0 {
		verdict = "NOT INTACT"
		if skipped {
			verdict = "INCOMPLETE, the log of the filesystem was not replayed"
		}
		verdict += fmt.Sprintf(", %d error%s", errs, strings.Repeat("s", min(errs-1, 1)))
	}
	depth := ""
	if deep {
		depth = ", verified deeply"
	}
	_, err := fmt.Fprintf(w, "journal %s: %s, %s%s\n", cmp.Or(r.Journal, "(id unknown)"), verdict, records(r.Events), depth)
	if err == nil && r.Head.Seq > 0 {
		_, err = fmt.Fprintf(w, "head %d %s\n", r.Head.Seq, r.Head.Hash)
	}
	return err
}
