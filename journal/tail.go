package journal

import (
	"runtime"
	"sync"
)

// segmentRecords is the least number of records that a goroutine is worth.
const segmentRecords = 128

// VerifyTail checks the newest n records: canonical, of this journal, in
// their places, linked, and ending in the tip. It is paid at every boot, so
// all cores share it.
func (r *reader) VerifyTail(n uint64) error {
	from := uint64(1)
	if n < r.tip.Seq {
		from = r.tip.Seq - n + 1
	}
	return r.verifyFrom(from)
}

// verifyFrom checks the records from from to the tip, and the link to the one
// before them.
func (r *reader) verifyFrom(from uint64) error {
	if from > r.tip.Seq {
		return nil
	}
	var prev Hash
	if from > 1 {
		before, err := r.Record(from - 1)
		if err != nil {
			return err
		}
		prev = before.Hash
	}
	count := r.tip.Seq - from + 1
	parts := max(1, min(count/segmentRecords, uint64(runtime.GOMAXPROCS(0))))
	segs := make([]segment, parts)
	var wg sync.WaitGroup
	for i := range segs {
		s := &segs[i]
		s.from = from + count*uint64(i)/parts
		s.to = from + count*uint64(i+1)/parts - 1
		if i == len(segs)-1 {
			r.verifySegment(s)
		} else {
			wg.Go(func() { r.verifySegment(s) })
		}
	}
	wg.Wait()
	for i := range segs {
		s := &segs[i]
		switch {
		case s.err != nil && s.last.Seq < s.from:
			return s.err
		case s.prev != prev:
			return brokenLink(r.l.Dir, s.from)
		case s.err != nil:
			return s.err
		}
		prev = s.last.Hash
	}
	if prev != r.tip.Hash {
		return corrupt(r.l.Dir, r.tip.Seq, nil, "follow the chain: it ends in %s, the head names %s", prev, r.tip.Hash)
	}
	return nil
}

// segment is a run of records that one goroutine checks.
type segment struct {
	from, to uint64
	prev     Hash // what its first record links to
	last     Tip  // the last record that is good
	err      error
}

func (r *reader) verifySegment(s *segment) {
	var d decoder
	for raw, err := range r.RawRecords(s.from, s.to) {
		var rec *Record
		if err == nil {
			rec, err = d.check(raw.Raw)
			err = r.belongs(raw.Seq, rec, err)
		}
		switch {
		case err != nil:
		case raw.Seq == s.from:
			s.prev = rec.Prev
		case rec.Prev != s.last.Hash:
			err = brokenLink(r.l.Dir, raw.Seq)
		}
		if err != nil {
			s.err = err
			return
		}
		s.last = Tip{rec.Seq, rec.Hash}
	}
}

func brokenLink(path string, seq uint64) error {
	return corrupt(path, seq, nil, "follow the chain: the link to record %d is broken", seq-1)
}
