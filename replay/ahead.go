package replay

import (
	"iter"
	"runtime"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

const (
	// segmentLen is the number of records that one goroutine reads, checks and
	// unpacks before the next segment is another's. Each segment costs one more
	// record to be read: the one to which its first record links.
	segmentLen = 512
	// batchBytes is the most payload that is kept until it is folded. A segment
	// of common records is smaller; one of large records is passed on in batches.
	batchBytes = 1 << 20
	// maxLanes is the largest number of goroutines, and so of batches in memory.
	maxLanes = 5
)

// events yields the events of records from to to, in order, up to the first error.
// Only folding them must be sequential, so a long range is read on several cores. A
// boot's few records are not worth a goroutine.
func events(src Source, from, to uint64) iter.Seq2[machine.Event, error] {
	cores := runtime.GOMAXPROCS(0)
	if to < from || to-from < 2*segmentLen || cores == 1 {
		return inOrder(src, from, to)
	}
	// One lane more than there are cores: one waits to be folded.
	return ahead(src, from, to, min(cores+1, maxLanes))
}

func inOrder(src Source, from, to uint64) iter.Seq2[machine.Event, error] {
	return func(yield func(machine.Event, error) bool) {
		var u unpacker
		for r, err := range src.Records(from, to) {
			var e machine.Event
			if err == nil {
				e, err = u.event(r)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// unpacker returns the events of consecutive records. It formats each hash once, for
// the record and for the one that links to it.
type unpacker struct {
	last record.Hash
	text string // of last, "" before the first record
}

func (u *unpacker) event(r record.Record) (machine.Event, error) {
	if u.text == "" || r.Prev != u.last {
		u.text = r.Prev.String()
	}
	e, err := event(r, u.text)
	u.last, u.text = r.Hash, e.Hash
	return e, err
}

// ahead yields the same as inOrder. The range is cut into segments, which the lanes
// read in turn: lane 0 the first, lane 1 the second, and so on.
func ahead(src Source, from, to uint64, lanes int) iter.Seq2[machine.Event, error] {
	return func(yield func(machine.Event, error) bool) {
		all := make([]*lane, lanes)
		step := uint64(lanes) * segmentLen
		for i := range all {
			all[i] = newLane()
			go all[i].run(src, from+uint64(i)*segmentLen, to, step)
		}
		// No goroutine outlives the loop: src may be closed after it.
		defer func() {
			for _, l := range all {
				close(l.empty)
			}
			for _, l := range all {
				for range l.full { //nolint:revive // emptied, so that the lane can end
				}
			}
		}()
		for turn := 0; ; {
			l := all[turn%lanes]
			batch, more := <-l.full
			if !more {
				return
			}
			for _, e := range batch.events {
				if !yield(e, nil) {
					return
				}
			}
			switch batch.ends {
			case segmentFails:
				yield(machine.Event{}, batch.err)
				return
			case segmentShort:
				return
			case segmentWhole:
				turn++
			case segmentGoesOn:
			}
			l.empty <- batch
		}
	}
}

// lane reads every n-th segment of a range, where n is the number of lanes.
type lane struct {
	full  chan *batch
	empty chan *batch // closed when no more is needed
}

// batch is a run of events of one segment.
type batch struct {
	events []machine.Event
	bytes  int // of their payloads
	ends   ending
	err    error // of segmentFails
}

// ending is what follows the events of a batch.
type ending int

const (
	segmentGoesOn ending = iota // more of the same segment
	segmentWhole                // the next segment
	segmentShort                // nothing: the records end
	segmentFails                // an error
)

func newLane() *lane {
	l := &lane{full: make(chan *batch, 1), empty: make(chan *batch, 1)}
	l.empty <- &batch{}
	return l
}

// run reads the segment at from and each that begins step records later, until one is
// not whole or no more is needed, and closes full.
func (l *lane) run(src Source, from, to, step uint64) {
	defer close(l.full)
	for at := from; at <= to; at += step {
		last := to
		if to-at >= segmentLen {
			last = at + segmentLen - 1
		}
		if !l.read(src, at, last) || to-at < step {
			return
		}
	}
}

// read passes on one segment. Its first record is checked against the last one of
// another lane's segment, so the chain is verified without gaps. It returns false if
// reading must stop.
func (l *lane) read(src Source, from, to uint64) bool {
	p, ok := l.next()
	if !ok {
		return false
	}
	var u unpacker
	next := from
	p.ends = segmentShort
	for r, err := range src.Records(from, to) {
		if p.bytes > 0 && p.bytes+len(r.Data) > batchBytes {
			p.ends = segmentGoesOn
			l.full <- p
			if p, ok = l.next(); !ok {
				return false
			}
			p.ends = segmentShort
		}
		var e machine.Event
		if err == nil {
			e, err = u.event(r)
		}
		if err != nil {
			p.ends, p.err = segmentFails, err
			break
		}
		p.events = append(p.events, e)
		p.bytes += len(r.Data)
		next++
	}
	whole := p.ends == segmentShort && next > to
	if whole {
		p.ends = segmentWhole
	}
	l.full <- p
	return whole
}

// next waits for a batch that was folded; false if no more is needed.
func (l *lane) next() (*batch, bool) {
	p, ok := <-l.empty
	if ok {
		p.events, p.bytes = p.events[:0], 0
	}
	return p, ok
}
