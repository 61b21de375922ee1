package record

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/autonomyops/edged/internal/errs"
)

// ErrNotCanonical is the cause if bytes are not in a record's canonical form.
var ErrNotCanonical = errors.New("not a canonical record")

// Decode reads a record's bytes. It accepts only the canonical form with exactly
// the members of the specification, and leaves data unparsed. The error is
// errs.ErrNewer for an envelope of a newer version, errs.ErrTooLarge over MaxLen,
// and errs.ErrCorrupt otherwise. The record keeps raw.
func Decode(raw []byte) (Record, error) {
	var r Record
	if err := r.Decode(raw); err != nil {
		return Record{}, err
	}
	return r, nil
}

// Decode is the function Decode for a record that is used again. It keeps strings
// that r already holds, such as those of the neighbouring record, rather than
// allocate them again. After an error the content of r is undefined.
func (r *Record) Decode(raw []byte) error {
	if err := r.Parse(raw); err != nil {
		return err
	}
	r.Hash = HashOf(raw)
	return nil
}

// Parse is Decode without the hash, which is most of what Decode costs.
func (r *Record) Parse(raw []byte) error {
	if len(raw) > MaxLen {
		return &errs.Error{Kind: errs.ErrTooLarge, Detail: fmt.Sprintf("decode record: %d bytes, at most %d are allowed", len(raw), MaxLen), Next: errs.NextSalvage}
	}
	if err := r.scan(raw); err != nil {
		if v, ok := newerEnvelope(raw); ok {
			return &errs.Error{Kind: errs.ErrNewer, Detail: "decode record: envelope version " + v, Next: errs.NextUpgrade}
		}
		return errs.Corrupt("", 0, err, "decode record")
	}
	r.Raw, r.Hash = raw, Hash{}
	return nil
}

// scan reads the envelope in one pass. It does not hash.
func (r *Record) scan(raw []byte) error {
	s := scanner{b: raw}
	bootID := s.text(`{"boot_id":`)
	crit := s.boolean(`,"crit":`)
	s.lit(`,"data":`)
	from := s.i
	if s.i < len(s.b) && s.b[s.i] != '{' {
		s.fail("data is not an object")
	}
	s.value(0)
	to := s.i
	epoch := s.number(`,"epoch":`)
	id := s.uuid(`,"id":`, '7')
	journal := s.sameUUID(`,"journal":`, '4', r.Journal)
	node := s.text(`,"node":`)
	prev := s.hash(`,"prev":`)
	run := s.text(`,"run":`)
	seq := s.number(`,"seq":`)
	when := s.time(`,"time":`)
	kind := s.text(`,"type":`)
	uptime := s.number(`,"uptime_ms":`)
	s.lit(`,"v":1}`)
	if s.err == "" && s.i != len(raw) {
		s.fail("bytes after the record")
	}
	if s.err == "" && seq == 0 {
		s.fail("seq is 0")
	}
	if s.err == "" && kind.end == kind.start {
		s.fail("type is empty")
	}
	if s.err != "" {
		return fmt.Errorf("%w: %s at byte %d", ErrNotCanonical, s.err, s.i)
	}
	if s.keep(&r.BootID, bootID); s.err == "" {
		s.keep(&r.ID, id)
		s.keep(&r.Journal, journal)
		s.keep(&r.Node, node)
		s.keep(&r.Run, run)
		s.keep(&r.Type, kind)
	}
	if s.err != "" {
		return fmt.Errorf("%w: %s", ErrNotCanonical, s.err)
	}
	r.V, r.Crit, r.Epoch, r.Seq, r.UptimeMS, r.Time, r.Prev = 1, crit, epoch, seq, int64(uptime), when, prev
	r.Data = raw[from:to:to]
	return nil
}

// newerEnvelope reports whether bytes that scan refused are an object whose
// member v is a whole number above EnvelopeVersion, and returns that number.
func newerEnvelope(raw []byte) (string, bool) {
	d := jsontext.NewDecoder(strings.NewReader(string(raw)))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return "", false
	}
	found := ""
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return "", false
		}
		isV := name.String() == "v"
		v, err := d.ReadValue()
		if err != nil {
			return "", false
		}
		if isV {
			found = string(v)
		}
	}
	if t, err := d.ReadToken(); err != nil || t.Kind() != '}' || int(d.InputOffset()) != len(raw) {
		return "", false
	}
	s := scanner{b: []byte(found)}
	if v := s.number(""); s.err != "" || s.i != len(found) || v <= EnvelopeVersion {
		return "", false
	}
	return found, true
}

// span is a text member between its quotes.
type span struct {
	start, end int
	escaped    bool
}

// scanner walks canonical JSON. It keeps the first failure; every method is
// then a no-op.
type scanner struct {
	b   []byte
	i   int
	err string
}

func (s *scanner) fail(why string) {
	if s.err == "" {
		s.err = why
	}
}

func (s *scanner) lit(l string) {
	if s.err != "" {
		return
	}
	if len(s.b)-s.i < len(l) || string(s.b[s.i:s.i+len(l)]) != l {
		s.fail("expected " + l)
		return
	}
	s.i += len(l)
}

func (s *scanner) boolean(name string) bool {
	s.lit(name)
	if s.err == "" && s.i < len(s.b) && s.b[s.i] == 't' {
		s.lit("true")
		return true
	}
	s.lit("false")
	return false
}

// number reads a whole number from 0 to 2^53-1 in its only spelling.
func (s *scanner) number(name string) uint64 {
	s.lit(name)
	if s.err != "" {
		return 0
	}
	start := s.i
	var n uint64
	for s.i < len(s.b) && s.b[s.i]-'0' <= 9 && s.i-start < 17 {
		n = n*10 + uint64(s.b[s.i]-'0')
		s.i++
	}
	if s.i == start || (s.b[start] == '0' && s.i > start+1) || n > maxInt {
		s.fail("expected a whole number from 0 to 2^53-1")
		return 0
	}
	return n
}

func (s *scanner) text(name string) span {
	s.lit(name)
	start := s.i + 1
	escaped := s.str()
	return span{start, s.i - 1, escaped}
}

// keep sets *to to the text of sp.
func (s *scanner) keep(to *string, sp span) {
	text := s.b[sp.start:sp.end]
	if sp.escaped {
		u, err := jsontext.AppendUnquote(nil, s.b[sp.start-1:sp.end+1])
		if err != nil {
			s.fail(err.Error())
			return
		}
		text = u
	}
	if *to != string(text) {
		*to = string(text)
	}
}

// fixed reads a string of n bytes without checking them.
func (s *scanner) fixed(name string, n int) (b []byte, sp span) {
	s.lit(name)
	if s.err != "" {
		return nil, span{}
	}
	end := s.i + n + 1
	if end >= len(s.b) || s.b[s.i] != '"' || s.b[end] != '"' {
		s.fail("expected a string of another length")
		return nil, span{}
	}
	sp = span{start: s.i + 1, end: end}
	s.i = end + 1
	return s.b[sp.start:end], sp
}

// uuid reads a UUID; version 0 accepts any.
func (s *scanner) uuid(name string, version byte) span {
	u, sp := s.fixed(name, 36)
	if s.err == "" {
		s.mustBeUUID(u, version)
	}
	return sp
}

// sameUUID is uuid, except that it does not check a UUID that equals seen.
func (s *scanner) sameUUID(name string, version byte, seen string) span {
	u, sp := s.fixed(name, 36)
	if s.err == "" && string(u) != seen {
		s.mustBeUUID(u, version)
	}
	return sp
}

func (s *scanner) mustBeUUID(u []byte, version byte) {
	if !isUUID(u, version) {
		s.fail("expected a UUID of version " + string(rune(version)))
	}
}

func (s *scanner) hash(name string) (h Hash) {
	b, _ := s.fixed(name, 2*len(h))
	if s.err == "" && !scanHash(b, &h) {
		s.fail("expected a hash")
	}
	return h
}

// time reads TimeLayout and nothing else.
func (s *scanner) time(name string) time.Time {
	t, _ := s.fixed(name, len(TimeLayout))
	if s.err != "" {
		return time.Time{}
	}
	bad := t[4] != '-' || t[7] != '-' || t[10] != 'T' || t[13] != ':' || t[16] != ':' || t[19] != '.' || t[29] != 'Z'
	num := func(from, to int) (n int) {
		for _, c := range t[from:to] {
			c -= '0'
			bad = bad || c > 9
			n = n*10 + int(c)
		}
		return n
	}
	year, month, day := num(0, 4), num(5, 7), num(8, 10)
	hour, minute, sec, nano := num(11, 13), num(14, 16), num(17, 19), num(20, 29)
	if bad || year == 0 || month == 0 || month > 12 || day == 0 || day > daysIn(year, month) || hour > 23 || minute > 59 || sec > 59 {
		s.fail("expected a time")
		return time.Time{}
	}
	return time.Date(year, time.Month(month), day, hour, minute, sec, nano, time.UTC)
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
