package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"sync"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// export is a .jsonl: the exact bytes of one record a line. A record's place is
// its own seq; Record and Records check that the line is that record.
type export struct {
	path  string
	f     content
	all   int64 // bytes of the file when it was opened
	size  int64 // bytes of whole lines
	torn  bool  // a part of a line follows them
	id    string
	first uint64
	tip   record.Tip

	segments []segment // by line; see arrange
	damage   error     // the first fault of its lines

	mu    sync.Mutex
	index []int64 // offset of line i*stride

	readers sync.Pool // of *bufio.Reader, readAhead bytes each
}

// content holds an export's lines: the export itself, or a temporary file to
// which a bundle was unpacked.
type content interface {
	io.ReaderAt
	io.Closer
}

// stride is the number of lines for each entry of the index, 8 bytes. At most
// so many lines are read to find one.
const stride = 256

// readAhead is the size of a read buffer, in bytes. It holds any line.
const readAhead = 256 << 10

func openExport(at string) (*export, error) {
	root, name, err := openParent(at)
	if err != nil {
		return nil, unreadable(at, err)
	}
	defer root.Close() //nolint:errcheck // read-only; the file stays open
	f, err := root.Open(name)
	if err != nil {
		return nil, unreadable(at, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(unreadable(at, err), f.Close())
	}
	return newExport(at, f, info.Size)
}

// newExport opens the export in f, and closes f if it fails. The error is one of
// reading f; a fault of the lines is the export's damage. If no line is a record,
// its tip is 0.
func newExport(path string, f content, size int64) (*export, error) {
	e := &export{path: path, f: f, all: size, size: size, index: []int64{0}}
	err := e.cutTorn()
	if err == nil {
		err = e.arrange()
	}
	if err != nil {
		_ = f.Close() // read-only
		return nil, err
	}
	return e, nil
}

// cutTorn excludes a truncated last line from size. A line without a line feed
// is whole if it is a record: an editor may have removed the line feed.
func (e *export) cutTorn() error {
	tail := make([]byte, min(e.size, record.MaxLen+2))
	if _, err := e.f.ReadAt(tail, e.size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return unreadable(e.path, err)
	}
	line := tail[bytes.LastIndexByte(tail, '\n')+1:]
	if len(line) == 0 {
		return nil
	}
	var rec record.Record
	if err := rec.Parse(line); err == nil || errors.Is(err, errs.ErrNewer) {
		return nil
	}
	e.torn = true
	e.size -= int64(len(line))
	return nil
}

const nextExport = "export the journal again, or check the copy against its source"

func (e *export) corrupt(seq uint64, format string, args ...any) error {
	return &errs.Error{Kind: errs.ErrCorrupt, Path: e.path, Seq: seq, Detail: "read an export: " + fmt.Sprintf(format, args...), Next: nextExport}
}

// placed adds the path and the record to an error of decoding.
func (e *export) placed(err error, seq uint64) error {
	var je *errs.Error
	if !errors.As(err, &je) {
		return err
	}
	at := *je
	at.Path, at.Seq = e.path, seq
	if !errors.Is(err, errs.ErrNewer) {
		at.Next = nextExport // an export has no partition to salvage
	}
	return &at
}

func (e *export) ID() string      { return e.id }
func (e *export) First() uint64   { return e.first }
func (e *export) Tip() record.Tip { return e.tip }
func (e *export) Close() error    { return e.f.Close() }

// Snapshots yields nothing: an export holds only records.
func (e *export) Snapshots(uint64) iter.Seq2[journal.Snapshot, error] {
	return func(func(journal.Snapshot, error) bool) {}
}

func (e *export) Record(seq uint64) (record.Record, error) {
	if seq < e.first || seq > e.tip.Seq {
		return record.Record{}, e.outside(seq)
	}
	for raw, err := range e.RawRecords(seq, seq) {
		if err != nil {
			return record.Record{}, err
		}
		return e.decode(journal.RawRecord{Seq: seq, Raw: bytes.Clone(raw.Raw)})
	}
	return record.Record{}, e.corrupt(seq, "the record is missing")
}

func (e *export) outside(seq uint64) error {
	return &errs.Error{Kind: errs.ErrNotFound, Path: e.path, Seq: seq, Detail: "read a record",
		Next: fmt.Sprintf("the export holds records %d to %d", e.first, e.tip.Seq)}
}

func (e *export) decode(raw journal.RawRecord) (record.Record, error) {
	rec, err := record.Decode(raw.Raw)
	switch {
	case err != nil:
		return rec, e.placed(err, raw.Seq)
	case rec.Journal != e.id:
		return rec, &errs.Error{Kind: journal.ErrForeign, Path: e.path, Seq: raw.Seq, Detail: "read an export: the record names journal " + rec.Journal, Next: nextExport}
	case rec.Seq != raw.Seq:
		return rec, e.corrupt(raw.Seq, "record %d is in its place", rec.Seq)
	}
	return rec, nil
}

func (e *export) Records(from, to uint64) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		from, to = max(from, 1), min(to, e.tip.Seq)
		if from < e.first && from <= to {
			yield(record.Record{}, e.outside(from))
			return
		}
		// The link of record from is checked against the record before it, or
		// against the zero hash. The first record of an export that begins later
		// has a link that cannot be checked.
		var prev record.Hash
		linked, start := from == 1, from
		if from > e.first && from <= e.tip.Seq {
			start = from - 1
		}
		for raw, err := range e.RawRecords(start, to) {
			var rec record.Record
			if err == nil {
				rec, err = e.decode(raw)
			}
			if err == nil && linked && rec.Prev != prev {
				err = e.corrupt(raw.Seq, "the link to record %d is broken", raw.Seq-1)
			}
			if err != nil {
				yield(record.Record{}, err)
				return
			}
			prev, linked = rec.Hash, true
			if rec.Seq >= from && !yield(rec, nil) {
				return
			}
		}
	}
}

func (e *export) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		from, all := max(from, e.first), to == math.MaxUint64
		if !all {
			to = min(to, e.tip.Seq)
		}
		if from > to || e.tip.Seq == 0 {
			return
		}
		if !all && (len(e.segments) > 1 || e.segments[0].line > 0) {
			e.inPlace(from, to)(yield)
			return
		}
		seq := from
		for line, err := range e.lines(from - e.first) {
			if err != nil {
				yield(journal.RawRecord{}, err)
				return
			}
			if !yield(journal.RawRecord{Seq: seq, Raw: line}, nil) || seq == to {
				return
			}
			seq++
		}
		if !all {
			yield(journal.RawRecord{}, e.corrupt(seq, "it ends before record %d", to))
		}
	}
}

// lines streams whole lines from line n on, and indexes their offsets. It yields
// an error for a line that is longer than any record; the next line follows if
// the caller continues.
func (e *export) lines(n uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		e.mu.Lock()
		mark := min(n/stride, uint64(len(e.index)-1))
		off := e.index[mark]
		e.mu.Unlock()
		at := mark * stride
		r, ok := e.readers.Get().(*bufio.Reader)
		if !ok {
			r = bufio.NewReaderSize(nil, readAhead)
		}
		defer e.readers.Put(r)
		r.Reset(io.NewSectionReader(e.f, off, e.size-off))
		for ; ; at++ {
			e.remember(at, off)
			line, err := r.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				skipped, err := skipLine(r)
				switch {
				case at >= n && !yield(nil, e.corrupt(e.first+at, "line %d is longer than any record", at+1)):
					return
				case err != nil:
					yield(nil, unreadable(e.path, err))
					return
				}
				off += int64(len(line)) + skipped
				continue
			}
			switch {
			case err != nil && !errors.Is(err, io.EOF):
				yield(nil, unreadable(e.path, err))
				return
			case len(line) == 0:
				return
			}
			off += int64(len(line))
			if at >= n && !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
				return
			}
		}
	}
}

// skipLine reads to the end of a line and returns the number of bytes read.
func skipLine(r *bufio.Reader) (n int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		switch {
		case errors.Is(err, io.EOF):
			return n, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return n, err
		}
	}
}

func (e *export) remember(line uint64, off int64) {
	if line%stride != 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if line/stride == uint64(len(e.index)) {
		e.index = append(e.index, off)
	}
}
