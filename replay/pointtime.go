package replay

import (
	"bytes"
	"runtime"
	"sync"
	"time"

	"github.com/autonomyops/edged/journal/record"
)

// timeBatch is the number of records that are read at once, from the newest back. The
// wall clock may go back, so every record after the point must be read; a snapshot
// does not help.
const timeBatch = 16384

// findTime searches from the newest record back.
func (p Point) findTime(src History) (record.Record, error) {
	first, hi := src.First(), src.Tip().Seq
	for hi >= first && hi > 0 {
		workers := uint64(min(runtime.GOMAXPROCS(0), 4))
		found := make([]uint64, workers)
		failed := make([]error, workers)
		var wg sync.WaitGroup
		for i := range workers {
			if hi < first+i*timeBatch {
				break
			}
			to := hi - i*timeBatch
			from := first
			if to-first >= timeBatch {
				from = to - timeBatch + 1
			}
			wg.Go(func() { found[i], failed[i] = notAfter(src, p.t, from, to) })
		}
		wg.Wait()
		for i := range workers {
			if failed[i] != nil {
				return record.Record{}, failed[i]
			}
			if found[i] != 0 {
				return src.Record(found[i])
			}
		}
		if hi < first+workers*timeBatch {
			break
		}
		hi -= workers * timeBatch
	}
	rec, err := src.Record(first)
	if err != nil {
		return rec, err
	}
	return record.Record{}, p.missing("record %d, the first, is of %s", rec.Seq, rec.Time.Format(time.RFC3339Nano))
}

// notAfter returns the last of the records from to to whose time is not after t, 0 if
// there is none.
func notAfter(src History, t time.Time, from, to uint64) (uint64, error) {
	limit := []byte(t.UTC().Format(record.TimeLayout))
	var last uint64
	for raw, err := range src.RawRecords(from, to) {
		if err != nil {
			return 0, err
		}
		at := timeOf(raw.Raw)
		if at == nil {
			// Record returns the error of every other reader.
			rec, err := src.Record(raw.Seq)
			if err != nil {
				return 0, err
			}
			at = []byte(rec.Time.Format(record.TimeLayout))
		}
		if bytes.Compare(at, limit) <= 0 {
			last = raw.Seq
		}
	}
	return last, nil
}

// timeOf returns the text of a record's time without parsing the record, nil if there
// is none. Records write times in one spelling, so times sort as their texts do.
func timeOf(raw []byte) []byte {
	if text := record.EnvelopeText(raw, "time"); len(text) == len(record.TimeLayout) {
		return text
	}
	return nil
}
