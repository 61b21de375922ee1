package main

import (
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/export"
)

func journalExport(e *env) *cobra.Command {
	var format, out, since string
	var from uint64
	cmd := &cobra.Command{
		Use:   "export --format jsonl --out FILE|-",
		Short: "write the records out, streaming",
		Long: `export writes the records for others to read. jsonl is the exact bytes of each
record, one a line: b3sum and jq alone can check it. A file is written beside
and renamed, so that its name never shows a part of an export; "-" is standard
output. --since begins at the first record not before that time and leaves out
nothing after it, so that the chain of what is exported can be checked.`,
		Example: `  edgectl journal export --format jsonl --out history.jsonl
  edgectl journal export --format jsonl --out - --from-seq 1000 | jq .type`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return fail("pass --out FILE, or --out - for standard output", "export needs a place to write to")
			}
			if err := export.CheckFormat(format); err != nil {
				return err
			}
			opt := export.Options{From: from}
			var err error
			if opt.Since, err = parseTime("--since", since, time.Now()); err != nil {
				return err
			}
			src, err := e.open()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			p := newProgress(e.stderr)
			defer p.done()
			tip := src.Tip().Seq
			opt.Progress = func(n uint64) { p.at("export", n, tip-max(from, src.First())+1) }
			write := func(w io.Writer) error {
				_, err := export.Write(w, interrupted{src, cmd.Context()}, format, opt)
				return err
			}
			if out == "-" {
				return write(e.stdout)
			}
			return export.File(out, src.Path(), write)
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "jsonl", strings.Join(export.Formats(), ", "))
	f.StringVar(&out, "out", "", "the file to write, or - for standard output")
	f.Uint64Var(&from, "from-seq", 0, "the first record to export")
	f.StringVar(&since, "since", "", "leave out what was recorded before: RFC 3339, a date, or an age such as 36h or 7d")
	return cmd
}
