package replay

import (
	"iter"
	"runtime"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

const (
	// stretch is how many records one goroutine reads, checks and unpacks before
	// the next stretch is another's. Each costs one more record to be read: the
	// one to which its first links.
	stretch = 512
	// partBytes is how much payload is kept until it is folded: a stretch of
	// common records is less, one of the largest records is passed on in parts.
	partBytes = 1 << 20
	// maxLanes bounds the goroutines, and with them the parts in memory.
	maxLanes = 5
)

// events gives the events of records from to to, in order, up to the first
// error. Only folding them has to be one after the other: where the range is
// long, all else is done on several cores. A boot's few records are not worth
// a goroutine.
func events(src Source, from, to uint64) iter.Seq2[machine.Event, error] {
	cores := runtime.GOMAXPROCS(0)
	if to < from || to-from < 2*stretch || cores == 1 {
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

// unpacker makes events of records that follow one another. A hash becomes
// text once, not for the record and again for the one that links to it.
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

// ahead gives what inOrder does. The range is cut into stretches, which the
// lanes take in turns: lane 0 the first, lane 1 the second, and so on.
func ahead(src Source, from, to uint64, lanes int) iter.Seq2[machine.Event, error] {
	return func(yield func(machine.Event, error) bool) {
		all := make([]*lane, lanes)
		step := uint64(lanes) * stretch
		for i := range all {
			all[i] = newLane()
			go all[i].run(src, from+uint64(i)*stretch, to, step)
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
			part, more := <-l.full
			if !more {
				return
			}
			for _, e := range part.events {
				if !yield(e, nil) {
					return
				}
			}
			switch part.ends {
			case stretchFails:
				yield(machine.Event{}, part.err)
				return
			case stretchShort:
				return
			case stretchWhole:
				turn++
			case stretchGoesOn:
			}
			l.empty <- part
		}
	}
}

// lane reads every so many-th stretch of a range.
type lane struct {
	full  chan *part
	empty chan *part // closed when no more is asked for
}

// part is what was read of a stretch.
type part struct {
	events []machine.Event
	bytes  int // of their payloads
	ends   ending
	err    error // of stretchFails
}

// ending is what follows the events of a part.
type ending int

const (
	stretchGoesOn ending = iota // more of the same stretch
	stretchWhole                // the next stretch
	stretchShort                // nothing: the records end
	stretchFails                // an error
)

func newLane() *lane {
	l := &lane{full: make(chan *part, 1), empty: make(chan *part, 1)}
	l.empty <- &part{}
	return l
}

// run reads the stretch at from and each that begins step records later, until
// one is not whole or no more is asked for, and closes full.
func (l *lane) run(src Source, from, to, step uint64) {
	defer close(l.full)
	for at := from; at <= to; at += step {
		last := to
		if to-at >= stretch {
			last = at + stretch - 1
		}
		if !l.read(src, at, last) || to-at < step {
			return
		}
	}
}

// read passes on one stretch. Its first record is checked against the one
// before it, which is another lane's: so the chain has no seams. false: there
// is no sense in reading on.
func (l *lane) read(src Source, from, to uint64) bool {
	p, ok := l.part()
	if !ok {
		return false
	}
	var u unpacker
	next := from
	p.ends = stretchShort
	for r, err := range src.Records(from, to) {
		if p.bytes > 0 && p.bytes+len(r.Data) > partBytes {
			p.ends = stretchGoesOn
			l.full <- p
			if p, ok = l.part(); !ok {
				return false
			}
			p.ends = stretchShort
		}
		var e machine.Event
		if err == nil {
			e, err = u.event(r)
		}
		if err != nil {
			p.ends, p.err = stretchFails, err
			break
		}
		p.events = append(p.events, e)
		p.bytes += len(r.Data)
		next++
	}
	whole := p.ends == stretchShort && next > to
	if whole {
		p.ends = stretchWhole
	}
	l.full <- p
	return whole
}

// part waits until one was folded; false when none will be.
func (l *lane) part() (*part, bool) {
	p, ok := <-l.empty
	if ok {
		p.events, p.bytes = p.events[:0], 0
	}
	return p, ok
}
