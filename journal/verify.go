package journal

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// VerifyOptions are the choices of Verify. The zero value is usable.
type VerifyOptions struct {
	// Known reports whether the caller knows a kind. nil means that it knows all.
	Known func(kind string) bool
	// Progress is called, from one goroutine, with the number of records checked.
	Progress func(done uint64)
	// Workers is the number of goroutines; 0 means one for each core.
	Workers int
	// Storage also compares the checksum of every block of every table,
	// those included that hold no record. Only a View has tables.
	Storage bool
	// MaxFindings bounds the list; 0 means 1,000.
	MaxFindings int
}

// RecordSource is what Verify reads: a View, or a Stream of exported lines.
type RecordSource interface {
	// fill reads the next segment of records into seg and reports whether
	// there was one. Several goroutines call it. Findings about records that
	// could not be read go into seg.
	fill(seg *segment, o *VerifyOptions) bool
	// conclude adds the source's own findings, after everything is read.
	conclude(r *Report)
	// expects returns the journal's id, "" if only the first record names it.
	expects() string
}

// Verify walks the whole history on all cores, in bounded memory: the form of
// each record, its hash, its place and its link to the one before.
func Verify(ctx context.Context, src RecordSource, o VerifyOptions) (Report, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.MaxFindings <= 0 {
		o.MaxFindings = 1000
	}
	var (
		wg   sync.WaitGroup
		done = make(chan *segment, o.Workers)
		free = make(chan *segment, 4*o.Workers)
	)
	for range 4 * o.Workers {
		free <- new(segment)
	}
	for range o.Workers {
		wg.Go(func() {
			for seg := range free {
				if ctx.Err() != nil || !src.fill(seg, &o) {
					return
				}
				seg.examine(&o)
				done <- seg
			}
		})
	}
	go func() { wg.Wait(); close(done) }()

	m := merger{rep: Report{Journal: src.expects()}, o: &o, waiting: map[int]*segment{}}
	for seg := range done {
		m.take(seg, func(seg *segment) { free <- seg })
	}
	if err := ctx.Err(); err != nil {
		return Report{}, fmt.Errorf("verify the journal: %w", err)
	}
	m.rep.Events, m.rep.Head = m.events, m.last.tip()
	src.conclude(&m.rep)
	if v, ok := src.(*viewSource); ok && o.Storage {
		if err := v.verifyTables(ctx, &m.rep); err != nil {
			return Report{}, err
		}
	}
	m.rep.finish(o.MaxFindings)
	return m.rep, nil
}

// merger puts the segments in order and checks their boundaries.
type merger struct {
	rep     Report
	o       *VerifyOptions
	next    int
	waiting map[int]*segment
	last    boundary
	events  uint64
	bad     bool // an error is in the list
}

// take accepts a segment and releases those that are done. A segment waits for
// the ones before it. Their number is limited and a goroutine is always working
// on the missing one, so none waits forever.
func (m *merger) take(seg *segment, release func(*segment)) {
	m.waiting[seg.index] = seg
	for {
		seg, ok := m.waiting[m.next]
		if !ok {
			return
		}
		delete(m.waiting, m.next)
		m.next++
		m.join(seg)
		release(seg)
	}
}

func (m *merger) join(seg *segment) {
	m.events += uint64(seg.n)
	if seg.n > 0 {
		if m.rep.Journal == "" {
			m.rep.Journal = seg.first.journal
		}
		if seg.first.known && seg.first.journal != m.rep.Journal {
			// Within a segment check compares each record's journal with the one before.
			m.rep.add(Finding{SeverityError, CodeWrongJournal, seg.first.seq,
				fmt.Sprintf("record %d names journal %s, not %s", seg.first.seq, seg.first.journal, m.rep.Journal)})
		}
		m.rep.Findings = follow(m.rep.Findings, &m.last, &seg.first)
		m.last = seg.last
	}
	// The list is bounded. Past the bound, the first error is still added.
	for _, f := range seg.findings {
		if len(m.rep.Findings) < 4*m.o.MaxFindings || (f.Severity == SeverityError && !m.bad) {
			m.rep.Findings = append(m.rep.Findings, f)
			m.bad = m.bad || f.Severity == SeverityError
		}
	}
	if m.o.Progress != nil {
		m.o.Progress(m.events)
	}
}
