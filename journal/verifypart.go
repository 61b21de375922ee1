package journal

import (
	"fmt"
	"time"

	"github.com/autonomyops/edged/journal/record"
)

// partRecords is the number of records in a part of a history.
const partRecords = 4096

// partBytes bounds a part's memory whatever the records' length.
const partBytes = 2 << 20

// part is a stretch of a history, read and examined by one goroutine. A
// source either looks at records as it reads them, or copies them into the
// arena to be examined when the next goroutine may read.
type part struct {
	index int
	arena []byte
	items []item

	rec         record.Record // the last one; its texts are shared
	kind        string        // the last kind that was asked about
	known       bool          // and whether the caller knows it
	n           int
	first, last boundary
	findings    []Finding
}

// item is one record's bytes in the arena, and its place as for look.
type item struct {
	key      uint64
	from, to int
}

// boundary is what one record tells about its neighbours. A record that cannot
// be read has a place and a hash, but is not known.
type boundary struct {
	seq     uint64
	known   bool
	journal string
	prev    record.Hash
	hash    record.Hash
	time    time.Time
}

func (e *boundary) tip() record.Tip { return record.Tip{Seq: e.seq, Hash: e.hash} }

func (p *part) reset(index int) {
	*p = part{index: index, arena: p.arena[:0], items: p.items[:0], findings: p.findings[:0], rec: p.rec, kind: p.kind, known: p.known}
}

func (p *part) put(key uint64, raw []byte) {
	from := len(p.arena)
	p.arena = append(p.arena, raw...)
	p.items = append(p.items, item{key, from, len(p.arena)})
}

func (p *part) full() bool { return len(p.items) >= partRecords || len(p.arena) >= partBytes }

func (p *part) find(sev Severity, code string, seq uint64, format string, args ...any) {
	p.findings = append(p.findings, Finding{sev, code, seq, fmt.Sprintf(format, args...)})
}

// examine checks the records that fill only copied.
func (p *part) examine(o *VerifyOptions) {
	for _, it := range p.items {
		p.look(o, it.key, p.arena[it.from:it.to])
	}
}

// look checks one record, and its link to the one before it in the part. key
// is its place, 0 if only the record itself tells.
func (p *part) look(o *VerifyOptions, key uint64, raw []byte) {
	e := boundary{seq: key}
	if e.seq == 0 {
		e.seq = p.last.seq + 1
	}
	if err := p.rec.Decode(raw); err != nil {
		f := FindingOf(err)
		if f.Code == CodeStorage {
			f.Code = CodeNotCanonical
		}
		f.Seq = e.seq
		p.findings = append(p.findings, f)
		e.hash = record.HashOf(raw)
	} else {
		rec := &p.rec
		switch {
		case key == 0 || rec.Seq == key:
			e.seq = rec.Seq
		case rec.Seq < key:
			p.find(SeverityError, CodeDuplicate, key, "at place %d stands a record that says it is %d", key, rec.Seq)
		default:
			p.find(SeverityError, CodeGap, key, "at place %d stands a record that says it is %d", key, rec.Seq)
		}
		e.known, e.journal, e.prev, e.hash, e.time = true, rec.Journal, rec.Prev, rec.Hash, rec.Time
		if o.Known != nil && !p.knows(o, rec.Type) {
			p.find(SeverityWarning, CodeUnknownKind, e.seq, "kind %.80q is not known to this version", rec.Type)
		}
	}
	last := &p.last
	if p.n == 0 {
		p.first = e
	} else {
		if e.known && last.known && e.journal != last.journal {
			p.find(SeverityError, CodeWrongJournal, e.seq, "record %d names journal %s, the one before %s", e.seq, e.journal, last.journal)
		}
		p.findings = follow(p.findings, last, &e)
	}
	p.n, p.last = p.n+1, e
}

// knows asks the caller about a kind, once for a run of the same.
func (p *part) knows(o *VerifyOptions, kind string) bool {
	if kind != p.kind {
		p.kind, p.known = kind, o.Known(kind)
	}
	return p.known
}

// follow checks that b comes right after a; the zero boundary is the
// beginning.
func follow(found []Finding, a, b *boundary) []Finding {
	switch {
	case b.seq <= a.seq:
		found = append(found, Finding{SeverityError, CodeDuplicate, b.seq, fmt.Sprintf("record %d comes after record %d", b.seq, a.seq)})
	case b.seq > a.seq+1:
		detail := fmt.Sprintf("records %d to %d are missing", a.seq+1, b.seq-1)
		if b.seq == a.seq+2 {
			detail = fmt.Sprintf("record %d is missing", a.seq+1)
		}
		return append(found, Finding{SeverityError, CodeGap, a.seq + 1, detail})
	case b.known && b.prev != a.hash:
		found = append(found, Finding{SeverityError, CodeBrokenLink, b.seq,
			fmt.Sprintf("record %d names %s as the one before, whose hash is %s", b.seq, b.prev, a.hash)})
	}
	if a.known && b.known && b.time.Before(a.time) {
		found = append(found, Finding{SeverityWarning, CodeTimeBackwards, b.seq,
			fmt.Sprintf("%s comes after %s", b.time.Format(time.RFC3339Nano), a.time.Format(time.RFC3339Nano))})
	}
	return found
}
