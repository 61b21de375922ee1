// Package export writes a history for others to read, streaming and in
// constant memory.
//
// An export does not judge: it gives the records that are there, and fails
// where one is missing or cannot be read. The exact record bytes, one a line,
// are what b3sum and jq alone can check.
package export

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/autonomyops/edged/journal"
)

// Source is the history to export.
type Source interface {
	Tip() journal.Tip
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
}

// Options choose what is exported. The zero value of each means everything.
type Options struct {
	// From is the first record.
	From uint64
	// Since leaves out the records before the first one whose time is not
	// before it. What follows is exported whole, also where a clock went
	// back: an export without gaps can be checked, one with gaps cannot.
	Since time.Time
	// Progress is told, now and then, how many records were written.
	Progress func(n uint64)
}

// Encoder writes records in one format.
type Encoder interface {
	// Record writes the next record; its bytes are valid until it returns.
	Record(journal.RawRecord) error
	// Close writes what ends the export. It does not close what is written to.
	Close() error
}

// ErrFormat: there is no such format.
var ErrFormat = errors.New("unknown export format")

// formats are the formats by name.
func formats() map[string]func(io.Writer) Encoder {
	return map[string]func(io.Writer) Encoder{
		"jsonl": newJSONL,
	}
}

// Formats names the formats, in alphabetical order.
func Formats() []string {
	names := make([]string, 0, 1)
	for name := range formats() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// CheckFormat reports whether there is a format of this name: nil, or ErrFormat.
func CheckFormat(name string) error {
	if formats()[name] == nil {
		return fmt.Errorf("%w %q: there are %s", ErrFormat, name, strings.Join(Formats(), ", "))
	}
	return nil
}

// progressEvery is how many records pass between two calls of Progress.
const progressEvery = 8192

// Write exports src to w and gives the number of records written. An error of
// w is returned as it is, so that a closed pipe can be told from damage.
func Write(w io.Writer, src Source, format string, opt Options) (n uint64, err error) {
	if err := CheckFormat(format); err != nil {
		return 0, err
	}
	enc := formats()[format](w)
	skipping := !opt.Since.IsZero()
	for raw, err := range src.RawRecords(max(opt.From, 1), src.Tip().Seq) {
		if err != nil {
			return n, errors.Join(err, enc.Close())
		}
		if skipping {
			rec, err := journal.Decode(raw.Raw)
			if err != nil {
				return n, fmt.Errorf("find the first record since %s: record %d: %w", opt.Since.Format(time.RFC3339), raw.Seq, err)
			}
			if rec.Time.Before(opt.Since) {
				continue
			}
			skipping = false
		}
		if err := enc.Record(raw); err != nil {
			return n, err
		}
		if n++; opt.Progress != nil && n%progressEvery == 0 {
			opt.Progress(n)
		}
	}
	return n, enc.Close()
}
