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

// export is a .jsonl: one record's exact bytes a line. A record's place is its
// own seq; whether it is that record is checked where records are checked.
type export struct {
	path  string
	f     content
	all   int64 // bytes of the file
	size  int64 // bytes of whole lines; what is appended later is not seen
	torn  bool  // the file goes on with a part of a line
	id    string
	first uint64
	tip   record.Tip

	segments []segment // by line; see arrange
	damage   error     // what is wrong with its lines

	mu    sync.Mutex
	index []int64 // offset of line i*stride

	readers sync.Pool // of *bufio.Reader, readAhead bytes each
}

// content is what an export's lines lie in: a file of evidence, or a file of
// our own that a bundle was unpacked to.
type content interface {
	io.ReaderAt
	io.Closer
}

// stride bounds both the index (8 bytes per stride lines) and the lines read
// to find one.
const stride = 256

// readAhead holds any line.
const readAhead = 256 << 10

func openExport(at string, damaged bool) (*export, error) {
	root, name, err := beside(at)
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
	return newExport(at, f, info.Size, damaged)
}

// newExport takes over f, also where it fails. damaged: the first line and the
// last need not be records.
func newExport(path string, f content, size int64, damaged bool) (*export, error) {
	e := &export{path: path, f: f, all: size, size: size, index: []int64{0}}
	err := e.load()
	if damaged && isDamage(err) && e.survey() {
		e.damage, err = err, nil
	}
	if err == nil {
		err = e.arrange()
	}
	if err != nil {
		_ = f.Close() // read-only
		return nil, err
	}
	return e, nil
}

// load finds the first record and the last.
func (e *export) load() error {
	last, err := e.lastLine()
	if err != nil {
		return err
	}
	for line, err := range e.lines(0) {
		if err != nil {
			return err
		}
		first, err := record.Decode(line)
		if err != nil {
			return e.noRecord(err, "line 1", 1)
		}
		e.id, e.first = first.Journal, first.Seq
		break
	}
	rec, err := record.Decode(last)
	if err != nil {
		return e.noRecord(err, "the last line", 0)
	}
	if rec.Seq < e.first {
		return e.corrupt(rec.Seq, "the last line is record %d, the first is record %d", rec.Seq, e.first)
	}
	e.tip = record.Tip{Seq: rec.Seq, Hash: rec.Hash}
	return nil
}

// survey finds the first line and the last that are records, where those that
// should be are not. What stands before and behind them has its place, and is
// what cannot be read. false: no line is a record.
func (e *export) survey() bool {
	e.tip = record.Tip{}
	at := uint64(0)
	for line, err := range e.lines(0) {
		if err != nil && !isDamage(err) {
			return false
		}
		if rec, err := record.Decode(line); err == nil {
			if e.tip.Seq == 0 {
				e.id, e.first = rec.Journal, rec.Seq-min(at, rec.Seq-1)
			}
			if rec.Journal == e.id && rec.Seq >= e.first {
				e.tip = record.Tip{Seq: rec.Seq, Hash: rec.Hash}
			}
		}
		at++
	}
	return e.tip.Seq > 0
}

func isDamage(err error) bool {
	var damage *errs.Error
	return errors.As(err, &damage)
}

// lastLine reads the last whole line. A line without its end is whole when it
// is a record (an editor may have eaten the newline), and torn otherwise.
func (e *export) lastLine() ([]byte, error) {
	tail := make([]byte, min(e.size, 2*(record.MaxLen+1)))
	if _, err := e.f.ReadAt(tail, e.size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(e.path, err)
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	if rest := tail[end:]; len(rest) > 0 {
		if _, err := record.Decode(rest); err == nil {
			return rest, nil
		}
		e.torn = true
		e.size -= int64(len(rest))
		tail = tail[:end]
	}
	if len(tail) == 0 {
		return nil, &errs.Error{Kind: journal.ErrTorn, Path: e.path, Detail: "read an export: it holds no whole record", Next: nextExport}
	}
	line := tail[:len(tail)-1]
	return line[bytes.LastIndexByte(line, '\n')+1:], nil
}

const nextExport = "export the journal again, or check the copy against its source"

func (e *export) corrupt(seq uint64, format string, args ...any) error {
	return &errs.Error{Kind: errs.ErrCorrupt, Path: e.path, Seq: seq, Detail: "read an export: " + fmt.Sprintf(format, args...), Next: nextExport}
}

// noRecord says which line should be a record.
func (e *export) noRecord(err error, line string, seq uint64) error {
	err = e.placed(err, seq)
	var je *errs.Error
	if errors.As(err, &je) && !errors.Is(err, errs.ErrNewer) {
		je.Detail = "read an export: " + line + " is no record: " + je.Detail
	}
	return err
}

// placed says where an error of decoding was met.
func (e *export) placed(err error, seq uint64) error {
	var je *errs.Error
	if !errors.As(err, &je) {
		return err
	}
	at := *je
	at.Path, at.Seq = e.path, seq
	if !errors.Is(err, errs.ErrNewer) {
		at.Next = nextExport // there is no partition to save here
	}
	return &at
}

func (e *export) ID() string      { return e.id }
func (e *export) First() uint64   { return e.first }
func (e *export) Tip() record.Tip { return e.tip }
func (e *export) Close() error    { return e.f.Close() }

// Snapshots: exports hold records and nothing derived from them.
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
		return rec, e.corrupt(raw.Seq, "in its place stands record %d", rec.Seq)
	}
	return rec, nil
}

func (e *export) Records(from, to uint64) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		from, to = max(from, 1), min(to, e.tip.Seq) // every one of them, or an error
		if from < e.first && from <= to {
			yield(record.Record{}, e.outside(from))
			return
		}
		// The first is linked to the one before it, or to the zero hash. Of an
		// export that begins with it, the link leads out.
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
		if from > to {
			return
		}
		if !all && len(e.segments) > 1 {
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

// lines streams whole lines from line n on, and remembers where they begin. A
// line that is longer than any record is an error, and whoever goes on gets the
// next one.
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
				long, err := restOfLine(r)
				switch {
				case at >= n && !yield(nil, e.corrupt(e.first+at, "line %d is longer than any record", at+1)):
					return
				case err != nil:
					yield(nil, unreadable(e.path, err))
					return
				}
				off += int64(len(line)) + long
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

// restOfLine passes over a line whose beginning was read, and gives how many
// bytes that was.
func restOfLine(r *bufio.Reader) (n int64, err error) {
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
