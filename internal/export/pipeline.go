package export

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"sync"
	"time"

	"github.com/autonomyops/edged/journal/record"
)

// The limits of a batch, in records and in bytes: large enough that passing it on
// costs little, and small enough for a core's cache.
const (
	batchRecords = 128
	batchBytes   = 128 << 10
)

// batches is the number of batches: enough that the workers continue while the
// writer compresses a page.
const batches = 16

// maxWorkers bounds the workers: more would only wait for the writer.
const maxWorkers = 4

// encoder writes records in one format. prepare is called from several
// goroutines at once, each with a batch of its own; the others are called in
// the order of the records.
type encoder interface {
	// prepare encodes a batch, independently of other batches.
	prepare(*batch)
	// write writes a batch.
	write(*batch) error
	// end writes what is buffered and, if the export is whole, the footer. A
	// part of an export must not look whole.
	end(whole bool) error
}

// row is a record and its columns.
type row struct {
	record.Record
	received time.Time
	cells    cells
}

// batch holds some records and their memory.
type batch struct {
	first   uint64 // seq of the first record
	raw     []byte
	ends    []int // offset after each record in raw
	times   []time.Time
	recs    []row
	out     []byte         // encoded, for text formats
	columns parquetColumns // encoded, for Parquet
	err     error          // the error after the last record
	ready   chan struct{}
}

// decoded returns the writer of an encoder. One goroutine reads, several decode
// and prepare, and the caller's writes, in order.
func decoded(newEncoder func(io.Writer) (encoder, error)) writer {
	return func(w io.Writer, records iter.Seq2[Received, error], progress func(uint64)) (n uint64, err error) {
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
		// The caller may close the source after this returns: its reader must have ended.
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

// read copies records into batches and passes them to hand, until the records end
// or stop is closed. hand never blocks: its channels have room for all batches.
func read(records iter.Seq2[Received, error], free <-chan *batch, stop <-chan struct{}, hand func(*batch)) {
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
	b.raw, b.ends, b.times, b.recs, b.out, b.err = b.raw[:0], b.ends[:0], b.times[:0], b.recs[:0], b.out[:0], nil
}

// add copies a record, whose bytes are valid only until the next step.
func (b *batch) add(raw Received) {
	if len(b.ends) == 0 {
		b.first = raw.Seq
	}
	b.raw = append(b.raw, raw.Raw...)
	b.ends = append(b.ends, len(b.raw))
	b.times = append(b.times, raw.At)
}

// decode decodes the records, up to the first that cannot be read.
func (b *batch) decode() {
	from := 0
	for i, to := range b.ends {
		rec, err := record.Decode(b.raw[from:to:to])
		if err != nil {
			b.err = fmt.Errorf("export record %d: %w", b.first+uint64(i), err)
			return
		}
		b.recs = append(b.recs, row{Record: rec, received: b.times[i]})
		b.recs[i].cells.fill(rec.Data)
		from = to
	}
}
