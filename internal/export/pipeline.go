package export

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"

	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// What a batch holds at most, in records and in bytes: enough that handing it
// over costs nothing, and little enough to stay in a core's cache.
const (
	batchRecords = 128
	batchBytes   = 128 << 10
)

// batches is how many there are: enough that the workers go on while the one
// that writes compresses a page of many.
const batches = 16

// maxWorkers is where more of them would wait for the one that writes.
const maxWorkers = 4

// encoder writes records in one format. prepare is called from several
// goroutines at once, each with a batch of its own; the others are called in
// the order of the records.
type encoder interface {
	// prepare does for a batch what needs no other: it may leave bytes in out.
	prepare(*batch)
	// write writes a batch.
	write(*batch) error
	// end writes what is still held back, and, where the export is whole,
	// what ends it: a part of one must not pass for a whole one.
	end(whole bool) error
}

// row is a record as the formats with columns see it.
type row struct {
	record.Record
	cells cells
}

// batch is some records and the memory that they lie in.
type batch struct {
	first   uint64 // seq of the first
	raw     []byte
	ends    []int // of each record in raw
	recs    []row
	out     []byte         // text formats
	columns parquetColumns // Parquet
	err     error          // what came instead of the next record
	ready   chan struct{}
}

// decoded makes a format of an encoder. One goroutine reads, a few decode and
// prepare, and this one writes, in order.
func decoded(newEncoder func(io.Writer) (encoder, error)) writer {
	return func(w io.Writer, records iter.Seq2[journal.RawRecord, error], progress func(uint64)) (n uint64, err error) {
		enc, err := newEncoder(w)
		if err != nil {
			return 0, err
		}
		workers := min(runtime.GOMAXPROCS(0), maxWorkers)
		free := make(chan *batch, batches)
		for range batches {
			free <- &batch{ready: make(chan struct{}, 1)}
		}
		work, ordered, stop := make(chan *batch, batches), make(chan *batch, batches), make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() {
			defer close(work)
			defer close(ordered)
			read(records, free, stop, func(b *batch) { work <- b; ordered <- b })
		})
		for range workers {
			running.Go(func() {
				for b := range work {
					b.decode()
					enc.prepare(b)
					b.ready <- struct{}{}
				}
			})
		}
		// The source may be closed once this returns: its reader must be gone.
		defer running.Wait()
		defer close(stop)
		for b := range ordered {
			<-b.ready
			if err := enc.write(b); err != nil {
				return n, err
			}
			n += uint64(len(b.recs))
			if b.err != nil {
				return n, errors.Join(b.err, enc.end(false))
			}
			progress(n)
			free <- b
		}
		return n, enc.end(true)
	}
}

// read copies records into batches until they end or it is told to stop.
// There are no more batches than hand has room for.
func read(records iter.Seq2[journal.RawRecord, error], free <-chan *batch, stop <-chan struct{}, hand func(*batch)) {
	var b *batch
	take := func() bool {
		select {
		case <-stop:
			return false
		case b = <-free:
			b.reset()
			return true
		}
	}
	if !take() {
		return
	}
	for raw, err := range records {
		if err != nil {
			b.err = err
			break
		}
		b.add(raw)
		if len(b.ends) < batchRecords && len(b.raw) < batchBytes {
			continue
		}
		hand(b)
		if !take() {
			return
		}
	}
	hand(b)
}

func (b *batch) reset() {
	b.raw, b.ends, b.recs, b.out, b.err = b.raw[:0], b.ends[:0], b.recs[:0], b.out[:0], nil
}

// add copies a record: its bytes are valid until the next step only.
func (b *batch) add(raw journal.RawRecord) {
	if len(b.ends) == 0 {
		b.first = raw.Seq
	}
	b.raw = append(b.raw, raw.Raw...)
	b.ends = append(b.ends, len(b.raw))
}

// decode reads the envelopes and the columns, up to the first record that
// cannot be read.
func (b *batch) decode() {
	from := 0
	for i, to := range b.ends {
		rec, err := record.Decode(b.raw[from:to:to])
		if err != nil {
			b.err = fmt.Errorf("export record %d: %w", b.first+uint64(i), err)
			return
		}
		b.recs = append(b.recs, row{Record: rec})
		b.recs[i].cells.fill(rec.Data)
		from = to
	}
}
