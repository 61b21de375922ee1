package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub/bucket"
)

// fileRecords is the number of records after which an export begins another file: large
// enough for programs that read few files fast. A journal is never split.
const fileRecords = 2_000_000

// ErrNotEmpty: an export goes into a directory of its own.
var ErrNotEmpty = errors.New("the directory is not empty: a program that reads its files would mix them with others")

// Exported is the result of an export.
type Exported struct {
	Files    []string `json:"files"`
	Journals int      `json:"journals"`
	Records  uint64   `json:"records"`
	// Forgotten are the journals whose records were removed.
	Forgotten []string `json:"forgotten"`
	// Damaged are the journals that are left out because the store has lost some of their
	// records, with the reason.
	Damaged []Damaged `json:"damaged"`
}

// Damaged is a journal that cannot be read, and why.
type Damaged struct {
	Journal string `json:"journal"`
	Reason  string `json:"reason"`
}

// Export writes the records of journals as Parquet into few files of a directory: sorted
// by node and sequence, the columns of edgectl journal export, and received_at. chosen
// selects journals by their head; nil selects all. Errors are [ErrNotEmpty], and those of
// the store and the directory.
func Export(ctx context.Context, s bucket.Store, dir string, chosen func(*Head) bool) (out Exported, err error) {
	out = Exported{Files: []string{}, Forgotten: []string{}, Damaged: []Damaged{}}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return out, err
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return out, err
	}
	if len(found) > 0 {
		return out, fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	ids, err := Journals(ctx, s)
	if err != nil {
		return out, err
	}
	var heads []*Head
	for _, id := range ids {
		h, _, err := readHeld(ctx, s, id)
		switch {
		case damaged(err):
			out.Damaged = append(out.Damaged, Damaged{id, err.Error()})
		case err != nil:
			return out, err
		case chosen != nil && !chosen(h):
		case h.Forgotten != nil:
			out.Forgotten = append(out.Forgotten, id)
		default:
			h.Edge, h.Checkpoint, h.Keys = nil, "", nil
			heads = append(heads, h)
		}
	}
	slices.SortFunc(heads, func(a, b *Head) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), a.First.Compare(b.First), cmp.Compare(a.Journal, b.Journal))
	})
	for len(heads) > 0 {
		n, size := 0, uint64(0)
		for n < len(heads) && (n == 0 || size+heads[n].Size <= fileRecords) {
			size += heads[n].Size
			n++
		}
		broken := -1
		total := uint64(0)
		name := filepath.Join(dir, fmt.Sprintf("records-%04d.parquet", len(out.Files)+1))
		err := export.File(name, "", func(w io.Writer) error {
			written, err := export.WriteReceived(w, received(ctx, s, heads[:n], &broken))
			total = written
			return err
		})
		if broken >= 0 && damaged(err) {
			// The file is begun again without the journal.
			out.Damaged = append(out.Damaged, Damaged{heads[broken].Journal, err.Error()})
			heads = slices.Delete(heads, broken, broken+1)
			continue
		}
		if err != nil {
			return out, err
		}
		out.Records += total
		out.Files = append(out.Files, name)
		out.Journals += n
		heads = heads[n:]
	}
	return out, nil
}

// damaged reports whether an error is about one journal, rather than about the store.
func damaged(err error) bool {
	return history.IsDamage(err) || errors.Is(err, errs.ErrNewer) || errors.Is(err, fs.ErrNotExist)
}

// received streams the records of journals, one journal after the other, with the time at
// which each arrived. It sets broken to the index of a journal that cannot be read.
func received(ctx context.Context, s bucket.Store, heads []*Head, broken *int) iter.Seq2[export.Received, error] {
	return func(yield func(export.Received, error) bool) {
		for i, h := range heads {
			arrivals := h.Received
			for raw, err := range newJournal(ctx, s, h).RawRecords(1, h.Size) {
				for len(arrivals) > 1 && uint64(arrivals[0][0]) < raw.Seq { //nolint:gosec // a number of records
					arrivals = arrivals[1:]
				}
				if err != nil {
					*broken = i
				}
				r := export.Received{RawRecord: raw}
				if len(arrivals) > 0 {
					r.At = time.Unix(arrivals[0][1], 0).UTC()
				}
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// MatchNode returns a selection for Export by the name of the node, with * and ?; the
// error is path.ErrBadPattern.
func MatchNode(pattern string) (func(*Head) bool, error) {
	_, err := path.Match(pattern, "")
	return func(h *Head) bool {
		ok, _ := path.Match(pattern, h.Node)
		return ok
	}, err
}
