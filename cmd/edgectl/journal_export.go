package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/autonomyops/edged/internal/commandline"
	"github.com/autonomyops/edged/internal/export"
)

func journalExport(e *env) *cobra.Command {
	var format, out, since string
	var from uint64
	cmd := &cobra.Command{
		Use:   "export --format jsonl|csv|parquet|journald --out FILE|-",
		Short: "write the records out, streaming",
		Long: `export writes the records for others to read:

  jsonl     the exact bytes of each record, one a line: b3sum and jq alone can
            check it, and edgectl reads it wherever it reads a journal
  csv       RFC 4180 with a header; what a spreadsheet would calculate is
            defused
  parquet   typed columns for DuckDB, Spark and pandas
  journald  systemd's Journal Export Format, for systemd-journal-remote

A file is written beside and renamed, so that its name never shows a part of an
export; "-" is standard output.

--since begins at the first record not before that time and leaves out nothing
after it, so that the chain of what is exported can be checked.

A record's position is its own seq: lines of a .jsonl that are there twice, or
two exports that overlap, lose nothing. A source that is torn, out of order or
incomplete is exit status 1, and what is missing is reported. If a record cannot
be read, or is missing before a later one, no file is left.`,
		Example: `  edgectl journal export --format jsonl --out history.jsonl
  edgectl journal export --format jsonl --out - --from-seq 1000 | jq .type
  edgectl journal export --format parquet --out history.parquet
  edgectl journal export --format csv --out - --since 30d | head -n 20`,
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
			src, err := e.openAny()
			if err != nil {
				return err
			}
			defer src.Close() //nolint:errcheck // read-only
			first := max(from, src.First())
			total := uint64(0) // not known where a time chooses
			if tip := src.Tip().Seq; tip >= first && since == "" {
				total = tip - first + 1
			}
			opt.Progress = func(n uint64) { e.progress.at("export", n, total) }
			write := func(w io.Writer) error {
				n, err := export.Write(w, src, format, opt)
				if err == nil && n == 0 {
					fmt.Fprintf(e.stderr, "edgectl: no record was chosen: the newest of %s is record %d; choose an earlier --from-seq or --since\n", src.Path(), src.Tip().Seq)
				}
				return err
			}
			if out == "-" {
				err = write(e.stdout)
			} else {
				err = exportError(out, export.File(out, src.Path(), write))
			}
			if err == nil && e.damage != nil {
				return errWrong // it was reported; what there is was written
			}
			return wrong(err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "jsonl", strings.Join(export.Formats(), ", "))
	f.StringVar(&out, "out", "", "the file to write, or - for standard output")
	f.Uint64Var(&from, "from-seq", 0, "the first record to export")
	commandline.CompleteFlag(cmd, "format", export.Formats()...)
	f.StringVar(&since, "since", "", "leave out what was recorded before: RFC 3339, a date, or an age such as 36h or 7d")
	return cmd
}

// exportError says what to do where a disk is full.
func exportError(out string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fail("free space there, or name a file elsewhere; no part of it is under that name", "export to %s: %w", out, err)
	}
	return err
}
