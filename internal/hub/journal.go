package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// Journal reads the records of a journal that the hub holds, as they were when it was
// opened. It implements replay.History and transparency.Source. Nothing but the hash of
// each object is verified.
type Journal struct {
	ctx   context.Context
	store bucket.Store
	head  *Head

	mu    sync.Mutex
	runs  []Run    // of today: the head's may have grown
	read  Run      // the one that was read last
	lines [][]byte // its lines
}

// ErrForgotten: the records of the journal were removed.
var ErrForgotten = errors.New("its records were removed")

// OpenJournal opens a journal for reading. ctx ends all reading. Errors are [ErrUnknown],
// [ErrForgotten], or those of the store.
func OpenJournal(ctx context.Context, s bucket.Store, id string) (*Journal, error) {
	h, _, err := readHead(ctx, s, id)
	if err != nil {
		return nil, err
	}
	if f := h.Forgotten; f != nil {
		return nil, fmt.Errorf("journal %s: %w on %s by %s: %s", id, ErrForgotten, f.Time.Format("2006-01-02"), f.By, f.Reason)
	}
	return newJournal(ctx, s, h), nil
}

func newJournal(ctx context.Context, s bucket.Store, h *Head) *Journal {
	return &Journal{ctx: ctx, store: s, head: h, runs: h.Runs}
}

// Head returns what the hub held of the journal when it was opened.
func (j *Journal) Head() *Head { return j.head }

// ID returns the journal's id.
func (j *Journal) ID() string { return j.head.Journal }

// First returns 1.
func (j *Journal) First() uint64 { return 1 }

// Tip returns the newest record.
func (j *Journal) Tip() record.Tip { return j.head.tip() }

// Snapshots yields nothing: a hub holds only records.
func (j *Journal) Snapshots(uint64) iter.Seq2[journal.Snapshot, error] {
	return func(func(journal.Snapshot, error) bool) {}
}

// Record returns a record.
func (j *Journal) Record(seq uint64) (record.Record, error) {
	for rec, err := range j.Records(seq, seq) {
		return rec, err
	}
	return record.Record{}, &errs.Error{Kind: errs.ErrNotFound, Path: headsDir + j.ID(), Seq: seq, Detail: "read a record", Next: fmt.Sprintf("the hub holds records 1 to %d", j.head.Size)}
}

// Records streams records, and checks that each is in its place.
func (j *Journal) Records(from, to uint64) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		for raw, err := range j.RawRecords(from, min(to, j.head.Size)) {
			var rec record.Record
			if err == nil {
				rec, err = record.Decode(raw.Raw)
			}
			if err == nil && (rec.Seq != raw.Seq || rec.Journal != j.ID()) {
				err = j.corrupt(raw.Seq, fmt.Sprintf("record %d of journal %s is in its place", rec.Seq, rec.Journal))
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// RawRecords streams the bytes of records. Bytes are valid until the next call.
func (j *Journal) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		from = max(from, 1)
		if to == math.MaxUint64 || to > j.head.Size {
			to = j.head.Size
		}
		for seq := from; seq <= to; {
			first, lines, err := j.linesAt(seq)
			if err != nil {
				yield(journal.RawRecord{}, err)
				return
			}
			for _, line := range lines[seq-first:] {
				if !yield(journal.RawRecord{Seq: seq, Raw: line}, nil) || seq == to {
					return
				}
				seq++
			}
		}
	}
}

// linesAt returns the lines of the run that holds a record, and the number of its first
// record. A run that grew meanwhile is another object: the head then names that one.
func (j *Journal) linesAt(seq uint64) (first uint64, found [][]byte, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for tries := 0; ; tries++ {
		at := runAt(j.runs, seq)
		if at == len(j.runs) {
			return 0, nil, j.corrupt(seq, "no object holds it")
		}
		first = 1
		if at > 0 {
			first = j.runs[at-1].Last + 1
		}
		if j.read == j.runs[at] {
			return first, j.lines, nil
		}
		found, err = readRun(j.ctx, j.store, j.runs[at], first)
		if err == nil {
			j.read, j.lines = j.runs[at], found
			return first, found, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || tries == 8 {
			return 0, nil, err
		}
		h, _, err := readHead(j.ctx, j.store, j.ID())
		switch {
		case err != nil:
			return 0, nil, err
		case h.Forgotten != nil:
			return 0, nil, fmt.Errorf("journal %s: %w", j.ID(), ErrForgotten)
		}
		j.runs = h.Runs
	}
}

// readRun reads a run that begins with record first. The error is fs.ErrNotExist if there
// is no such object.
func readRun(ctx context.Context, s bucket.Store, r Run, first uint64) ([][]byte, error) {
	name := recordsDir + r.SHA256
	data, _, err := s.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	bad := func(format string, args ...any) error {
		return &errs.Error{Kind: errs.ErrCorrupt, Path: name, Seq: first, Detail: "read records: " + fmt.Sprintf(format, args...), Next: "restore it from a copy of the store"}
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != r.SHA256 {
		return nil, bad("the object's SHA-256 is %x", sum)
	}
	found := lines(data)
	if uint64(len(found)) != r.Last-first+1 {
		return nil, bad("it holds %d records, want %d", len(found), r.Last-first+1)
	}
	return found, nil
}

func (j *Journal) corrupt(seq uint64, detail string) error {
	return &errs.Error{Kind: errs.ErrCorrupt, Path: headsDir + j.ID(), Seq: seq, Detail: "read records: " + detail, Next: "restore the store from a copy, and retire the hub's key"}
}

// rootAt returns the root of the first size records.
func (j *Journal) rootAt(size uint64) (tlog.Hash, error) {
	if size == j.head.Size {
		return tlog.Hash(j.head.Root), nil
	}
	// A checkpoint of this size was signed once, and it is kept. One that is damaged must
	// accuse nobody: without the node's signature the records decide.
	text, _, err := j.store.Get(j.ctx, checkpointName(j.ID(), size))
	if err == nil {
		var keys []transparency.Verifier
		for _, key := range j.head.Keys {
			if v, err := verifierOf(j.ID(), key); err == nil {
				keys = append(keys, v)
			}
		}
		c, _, err := transparency.Open(text, keys...)
		if err == nil && c.Journal == j.ID() && c.Size == size {
			return c.Root, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) && !history.IsDamage(err) {
		return tlog.Hash{}, err
	}
	var edge transparency.Edge
	for raw, err := range j.RawRecords(1, size) {
		if err != nil {
			return tlog.Hash{}, err
		}
		edge.Push(tlog.RecordHash(raw.Raw))
	}
	if edge.Count != size || size == 0 {
		return tlog.Hash{}, fmt.Errorf("%w: %d", transparency.ErrSize, size)
	}
	return edge.Root(), nil
}

// WriteTo writes the records, one a line: the form of edgectl journal export.
func (j *Journal) WriteTo(w io.Writer) (n int64, err error) {
	var line []byte
	for raw, err := range j.RawRecords(1, j.head.Size) {
		if err != nil {
			return n, err
		}
		line = append(append(line[:0], raw.Raw...), '\n')
		written, err := w.Write(line)
		if n += int64(written); err != nil {
			return n, err
		}
	}
	return n, nil
}
