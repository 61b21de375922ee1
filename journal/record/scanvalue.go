package record

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is the greatest depth of nesting in data, so that no input exhausts the stack.
const maxDepth = 128

// value skips one JSON value in canonical form.
func (s *scanner) value(depth int) {
	if s.err != "" {
		return
	}
	if s.i >= len(s.b) {
		s.fail("unexpected end")
		return
	}
	if depth > maxDepth {
		s.fail("nested too deeply")
		return
	}
	switch c := s.b[s.i]; c {
	case '{':
		s.object(depth)
	case '[':
		s.array(depth)
	case '"':
		s.str()
	case 't':
		s.lit("true")
	case 'f':
		s.lit("false")
	case 'n':
		s.lit("null")
	default:
		s.whole()
	}
}

func (s *scanner) array(depth int) {
	s.i++
	if s.i < len(s.b) && s.b[s.i] == ']' {
		s.i++
		return
	}
	for s.err == "" {
		s.value(depth + 1)
		if s.err != "" || s.i >= len(s.b) {
			s.fail("unexpected end")
			return
		}
		s.i++
		switch s.b[s.i-1] {
		case ']':
			return
		case ',':
		default:
			s.fail("expected , or ]")
		}
	}
}

func (s *scanner) object(depth int) {
	s.i++
	if s.i < len(s.b) && s.b[s.i] == '}' {
		s.i++
		return
	}
	var last span
	for first := true; s.err == ""; first = false {
		name := span{start: s.i + 1}
		name.escaped = s.str()
		name.end = s.i - 1
		if s.err != "" {
			return
		}
		if !first && !s.ascends(last, name) {
			s.fail("members out of order or repeated")
			return
		}
		last = name
		s.lit(":")
		s.value(depth + 1)
		if s.err != "" || s.i >= len(s.b) {
			s.fail("unexpected end")
			return
		}
		s.i++
		switch s.b[s.i-1] {
		case '}':
			return
		case ',':
		default:
			s.fail("expected , or }")
		}
	}
}

// ascends compares member names by UTF-16 code units, as RFC 8785 orders
// them. Below U+E000 that is also the order of the UTF-8 bytes.
func (s *scanner) ascends(a, b span) bool {
	x, y := s.b[a.start:a.end], s.b[b.start:b.end]
	if !a.escaped && !b.escaped {
		i := 0
		for i < len(x) && i < len(y) && x[i] == y[i] {
			i++
		}
		if i == len(x) || i == len(y) {
			return len(x) < len(y)
		}
		if x[i] < 0xee && y[i] < 0xee {
			return x[i] < y[i]
		}
	}
	u, v := s.units(a), s.units(b)
	for i := 0; i < len(u) && i < len(v); i++ {
		if u[i] != v[i] {
			return u[i] < v[i]
		}
	}
	return len(u) < len(v)
}

func (s *scanner) units(sp span) []uint16 {
	text, err := jsontext.AppendUnquote(nil, s.b[sp.start-1:sp.end+1])
	if err != nil {
		s.fail("member name")
	}
	return utf16.Encode([]rune(string(text)))
}

// str skips a string and reports whether it has escapes. In RFC 8785 only
// characters that must be escaped are, each in its shortest form.
func (s *scanner) str() (escaped bool) {
	if s.err != "" {
		return false
	}
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		s.fail("expected a string")
		return false
	}
	b, i := s.b, s.i+1
	for i < len(b) {
		for i+8 <= len(b) {
			m := special(binary.LittleEndian.Uint64(b[i:]))
			i += bits.TrailingZeros64(m) / 8 // 8 if there is none
			if m != 0 {
				break
			}
		}
		if i == len(b) {
			break
		}
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			return escaped
		case c == '\\':
			n := canonicalEscape(b[i:])
			if n == 0 {
				s.i = i
				s.fail("escape is not in its shortest form")
				return false
			}
			escaped = true
			i += n
		case c < 0x20:
			s.i = i
			s.fail("control character in a string")
			return false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				s.i = i
				s.fail("invalid UTF-8")
				return false
			}
			i += n
		}
	}
	s.i = i
	s.fail("unexpected end")
	return false
}

// special marks the top bit of the first of eight bytes that is a quote, a
// backslash, a control character or not ASCII; bits above it mean nothing.
func special(w uint64) uint64 {
	quote, slash := w^(lows*'"'), w^(lows*'\\')
	return (w | (w-lows*0x20)&^w | (quote-lows)&^quote | (slash-lows)&^slash) & tops
}

// canonicalEscape returns the length of the escape at the beginning of b, 0 if
// RFC 8785 would write it in another way.
func canonicalEscape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', 'b', 't', 'n', 'f', 'r':
		return 2
	case 'u':
		if len(b) < 6 || b[2] != '0' || b[3] != '0' || b[4] > '1' || b[4] < '0' {
			return 0
		}
		lo := hexDigit(b[5])
		if lo > 15 {
			return 0
		}
		switch c := (b[4]-'0')<<4 | lo; c {
		case '\b', '\t', '\n', '\f', '\r':
			return 0
		}
		return 6
	}
	return 0
}

// whole skips a number in its only spelling. RFC 8785 also has fractions and
// exponents, but no kind uses them, and two readers may understand a number over
// 2^53-1 differently.
func (s *scanner) whole() {
	negative := s.b[s.i] == '-'
	if negative {
		s.i++
	}
	if n := s.number(""); negative && n == 0 {
		s.fail("expected a number other than -0")
	}
}
