// Package export writes a history in the formats of other programs, in constant
// memory.
//
// An export does not verify: it writes the records, and fails at the first that
// is missing or cannot be read. Its bytes depend only on the records.
package export

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// Source is the history to export.
type Source interface {
	Tip() record.Tip
	RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error]
}

// Options choose what is exported. The zero value of each means everything.
type Options struct {
	// From is the first record.
	From uint64
	// Since skips the records before the first one at or after this time. All
	// later records are exported, even if a clock went back: an export with
	// gaps could not be verified.
	Since time.Time
	// Progress is called from time to time with the number of records written.
	Progress func(n uint64)
}

// ErrFormat: no format has this name.
var ErrFormat = errors.New("unknown export format")

// Received is a record, and when a hub received it. Only that of a hub has a time.
type Received struct {
	journal.RawRecord
	At time.Time
}

// writer exports the records in one format and returns their number.
type writer func(w io.Writer, records iter.Seq2[Received, error], progress func(uint64)) (uint64, error)

// formats returns the formats by name.
func formats() map[string]writer {
	return map[string]writer{
		"csv":      decoded(newCSV),
		"journald": decoded(newJournald),
		"jsonl":    writeJSONL,
		"parquet":  decoded(newParquet),
	}
}

// Formats returns the names of the formats, in alphabetical order.
func Formats() []string { return slices.Sorted(maps.Keys(formats())) }

// CheckFormat returns nil if a format has this name, otherwise ErrFormat.
func CheckFormat(name string) error {
	if formats()[name] == nil {
		return fmt.Errorf("%w %q: there are %s", ErrFormat, name, strings.Join(Formats(), ", "))
	}
	return nil
}

// Write exports src to w and returns the number of records written. It returns
// an error of w unchanged, so that the caller can distinguish a closed pipe from
// damage.
func Write(w io.Writer, src Source, format string, opt Options) (n uint64, err error) {
	if err := CheckFormat(format); err != nil {
		return 0, err
	}
	progress := opt.Progress
	if progress == nil {
		progress = func(uint64) {}
	}
	return formats()[format](w, chosen(src, opt), progress)
}

// WriteReceived exports records of several journals as Parquet, with one more column,
// received_at, and returns their number.
func WriteReceived(w io.Writer, records iter.Seq2[Received, error]) (n uint64, err error) {
	return decoded(newReceivedParquet)(w, records, func(uint64) {})
}

// chosen streams the records that the options select.
func chosen(src Source, opt Options) iter.Seq2[Received, error] {
	return func(yield func(Received, error) bool) {
		skipping := !opt.Since.IsZero()
		for raw, err := range src.RawRecords(max(opt.From, 1), src.Tip().Seq) {
			if err == nil && skipping {
				var rec record.Record
				if rec, err = record.Decode(raw.Raw); err != nil {
					err = fmt.Errorf("find the first record since %s: record %d: %w", opt.Since.Format(time.RFC3339), raw.Seq, err)
				} else if rec.Time.Before(opt.Since) {
					continue
				}
				skipping = false
			}
			if !yield(Received{RawRecord: raw}, err) || err != nil {
				return
			}
		}
	}
}
