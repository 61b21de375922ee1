package journal

import (
	"fmt"
	"time"

	"github.com/autonomyops/edged/journal/record"
)

// segmentRecords is the number of records in a segment.
const segmentRecords = 4096

// segmentBytes bounds the memory of a segment, in bytes of records.
const segmentBytes = 2 << 20

// segment is a run of consecutive records, read and examined by one goroutine. A
// source checks records as it reads them, or copies them into the arena, so that
// they are examined while the next goroutine reads.
type segment struct {
	index int
	arena []byte
	items []item

	rec         record.Record // the last one decoded; its texts are reused
	kind        string        // the last kind that was asked about
	known       bool          // and whether the caller knows it
	n           int
	first, last boundary
	findings    []Finding
}

// item is one record's bytes in the arena, and its key as for check.
type item struct {
	key      uint64
	from, to int
}

// boundary is what the neighbours of a record are compared with. A record that
// cannot be decoded has a place and a hash, but known is false.
type boundary struct {
	seq     uint64
	known   bool
	journal string
	prev    record.Hash
	hash    record.Hash
	time    time.Time
}

func (e *boundary) tip() record.Tip { return record.Tip{Seq: e.seq, Hash: e.hash} }

func (seg *segment) reset(index int) {
	*seg = segment{index: index, arena: seg.arena[:0], items: seg.items[:0], findings: seg.findings[:0], rec: seg.rec, kind: seg.kind, known: seg.known}
}

func (seg *segment) put(key uint64, raw []byte) {
	from := len(seg.arena)
	seg.arena = append(seg.arena, raw...)
	seg.items = append(seg.items, item{key, from, len(seg.arena)})
}

func (seg *segment) full() bool {
	return len(seg.items) >= segmentRecords || len(seg.arena) >= segmentBytes
}

func (seg *segment) add(sev Severity, code string, seq uint64, format string, args ...any) {
	seg.findings = append(seg.findings, Finding{sev, code, seq, fmt.Sprintf(format, args...)})
}

// examine checks the records in the arena.
func (seg *segment) examine(o *VerifyOptions) {
	for _, it := range seg.items {
		seg.check(o, it.key, seg.arena[it.from:it.to])
	}
}

// check checks one record, and its link to the one before it in the segment. key
// is its place, 0 if only the record itself states it.
func (seg *segment) check(o *VerifyOptions, key uint64, raw []byte) {
	e := boundary{seq: key}
	if e.seq == 0 {
		e.seq = seg.last.seq + 1
	}
	if err := seg.rec.Decode(raw); err != nil {
		f := FindingOf(err)
		if f.Code == CodeStorage {
			f.Code = CodeNotCanonical
		}
		f.Seq = e.seq
		seg.findings = append(seg.findings, f)
		e.hash = record.HashOf(raw)
	} else {
		rec := &seg.rec
		switch {
		case key == 0 || rec.Seq == key:
			e.seq = rec.Seq
		case rec.Seq < key:
			seg.add(SeverityError, CodeDuplicate, key, "the record at place %d says that it is record %d", key, rec.Seq)
		default:
			seg.add(SeverityError, CodeGap, key, "the record at place %d says that it is record %d", key, rec.Seq)
		}
		e.known, e.journal, e.prev, e.hash, e.time = true, rec.Journal, rec.Prev, rec.Hash, rec.Time
		if o.Known != nil && !seg.knows(o, rec.Type) {
			seg.add(SeverityWarning, CodeUnknownKind, e.seq, "kind %.80q is not known to this version", rec.Type)
		}
	}
	last := &seg.last
	if seg.n == 0 {
		seg.first = e
	} else {
		if e.known && last.known && e.journal != last.journal {
			seg.add(SeverityError, CodeWrongJournal, e.seq, "record %d names journal %s, the one before it %s", e.seq, e.journal, last.journal)
		}
		seg.findings = follow(seg.findings, last, &e)
	}
	seg.n, seg.last = seg.n+1, e
}

// knows reports whether the caller knows a kind; it remembers the last answer.
func (seg *segment) knows(o *VerifyOptions, kind string) bool {
	if kind != seg.kind {
		seg.kind, seg.known = kind, o.Known(kind)
	}
	return seg.known
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
			fmt.Sprintf("record %d names %s as the hash of the one before, which is %s", b.seq, b.prev, a.hash)})
	}
	if a.known && b.known && b.time.Before(a.time) {
		found = append(found, Finding{SeverityWarning, CodeTimeBackwards, b.seq,
			fmt.Sprintf("%s comes after %s", b.time.Format(time.RFC3339Nano), a.time.Format(time.RFC3339Nano))})
	}
	return found
}
