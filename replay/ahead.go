package replay

import (
	"iter"

	"github.com/autonomyops/edged/journal"
)

const (
	// batch is how many records pass from one goroutine to the other at once.
	batch = 256
	// batches is how many of them exist: one being filled, one being folded,
	// and one in between.
	batches = 3
)

// ahead gives the records of src as src does, read, checked and unpacked on
// another core than the one that folds them. A boot's few records are not
// worth a goroutine.
func ahead(src Source, from, to uint64) iter.Seq2[journal.Record, error] {
	if to < from || to-from < 2*batch {
		return src.Records(from, to)
	}
	return func(yield func(journal.Record, error) bool) {
		var (
			full  = make(chan *records, batches)
			empty = make(chan *records, batches)
			done  = make(chan struct{})
		)
		for range batches {
			empty <- &records{}
		}
		go func() {
			defer close(done)
			defer close(full)
			read(src, from, to, empty, full)
		}()
		// The reader ends at a closed channel: no goroutine outlives the loop.
		defer func() {
			close(empty)
			for range full { //nolint:revive // emptied, so that the reader can end
			}
			<-done
		}()
		for b := range full {
			for _, r := range b.all {
				if !yield(r, nil) {
					return
				}
			}
			if b.err != nil {
				yield(journal.Record{}, b.err)
				return
			}
			empty <- b
		}
	}
}

// records is a batch. A streamed record's bytes are valid until the next one
// is read, so the batch has its own copy of the payloads.
type records struct {
	all  []journal.Record
	data []byte
	err  error // after the last of them
}

func (b *records) add(r journal.Record) {
	at := len(b.data)
	b.data = append(b.data, r.Data...)
	r.Data = b.data[at:len(b.data):len(b.data)]
	r.Raw = nil // a fold has no use for it
	b.all = append(b.all, r)
}

func read(src Source, from, to uint64, empty <-chan *records, full chan<- *records) {
	b, ok := <-empty
	for r, err := range src.Records(from, to) {
		if !ok {
			return
		}
		if err != nil {
			b.err = err
			break
		}
		if b.add(r); len(b.all) == batch {
			full <- b
			if b, ok = <-empty; ok {
				b.all, b.data = b.all[:0], b.data[:0]
			}
		}
	}
	if ok {
		full <- b
	}
}
