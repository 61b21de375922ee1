package journal

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// VerifyOptions are the choices of Verify; the zero value does.
type VerifyOptions struct {
	// Known reports whether the caller knows a kind; nil: it knows all.
	Known func(kind string) bool
	// Progress hears, from one goroutine, how many records are done.
	Progress func(done uint64)
	// Workers is the number of goroutines; 0 means one for each core.
	Workers int
	// Storage has every block of every table read and its checksum compared,
	// those included that hold no record. Only a View has tables.
	Storage bool
	// MaxFindings bounds the list; 0 means 1,000.
	MaxFindings int
}

// RecordSource is what Verify reads: a View, or a Stream of exported lines.
type RecordSource interface {
	// fill reads the next stretch of records into p, and says whether there
	// was one. Several goroutines call it. Findings about what could not be
	// read go into p.
	fill(p *part, o *VerifyOptions) bool
	// conclude adds what only the source knows, after all is read.
	conclude(r *Report)
	// expects is the journal's id, "" if the first record tells it.
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
		done = make(chan *part, o.Workers)
		free = make(chan *part, 4*o.Workers)
	)
	for range 4 * o.Workers {
		free <- new(part)
	}
	for range o.Workers {
		wg.Go(func() {
			for p := range free {
				if ctx.Err() != nil || !src.fill(p, &o) {
					return
				}
				p.examine(&o)
				done <- p
			}
		})
	}
	go func() { wg.Wait(); close(done) }()

	m := merger{rep: Report{Journal: src.expects()}, o: &o, waiting: map[int]*part{}}
	for p := range done {
		m.take(p, func(p *part) { free <- p })
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

// merger puts the parts in order and joins their ends.
type merger struct {
	rep     Report
	o       *VerifyOptions
	next    int
	waiting map[int]*part
	last    boundary
	events  uint64
	bad     bool // an error is in the list
}

// take accepts a part and gives back those that are done with. Parts wait for
// the ones before them; there are only so many of them, and the missing one is
// always being worked on, so nothing waits for ever.
func (m *merger) take(p *part, release func(*part)) {
	m.waiting[p.index] = p
	for {
		p, ok := m.waiting[m.next]
		if !ok {
			return
		}
		delete(m.waiting, m.next)
		m.next++
		m.join(p)
		release(p)
	}
}

func (m *merger) join(p *part) {
	m.events += uint64(p.n)
	if p.n > 0 {
		if m.rep.Journal == "" {
			m.rep.Journal = p.first.journal
		}
		if p.first.known && p.first.journal != m.rep.Journal {
			// Within a part all records name one journal, or say otherwise.
			m.rep.add(Finding{SeverityError, CodeWrongJournal, p.first.seq,
				fmt.Sprintf("record %d names journal %s, not %s", p.first.seq, p.first.journal, m.rep.Journal)})
		}
		m.rep.Findings = follow(m.rep.Findings, &m.last, &p.first)
		m.last = p.last
	}
	// What is kept is bounded; past the bound, errors still go before warnings.
	for _, f := range p.findings {
		if len(m.rep.Findings) < 4*m.o.MaxFindings || (f.Severity == SeverityError && !m.bad) {
			m.rep.Findings = append(m.rep.Findings, f)
			m.bad = m.bad || f.Severity == SeverityError
		}
	}
	if m.o.Progress != nil {
		m.o.Progress(m.events)
	}
}
