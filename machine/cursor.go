package machine

import (
	"encoding/base64"
	"math/bits"
	"strings"
	"time"
	"unicode/utf8"
)

// cursor reads the canonical form (RFC 8785) of payloads that this version
// writes: members in their order, nothing that is not known, no white space.
// Whatever else it meets, it gives up, and the payload is decoded by
// encoding/json, which alone decides what is an error. So the cursor never has
// to be right about what is strange, only about what it accepts.
//
// The texts that it gives are parts of one copy of the payload: a record's
// payload is short, and a piece of memory for each text costs more than they.
type cursor struct {
	all   string
	at    int  // how much of it has been read
	first bool // no member of the object has been read
	lost  bool
}

// object reads an object whose members read takes, in order, each if it is
// there.
func (c *cursor) object(read func()) {
	if !c.take('{') {
		return
	}
	outer := c.first
	c.first = true
	read()
	c.first = outer
	c.take('}')
}

// ended reports whether everything was read, and understood.
func (c *cursor) ended() bool { return !c.lost && c.at == len(c.all) }

// next is the byte to be read, 0 at the end.
func (c *cursor) next() byte {
	if c.at == len(c.all) {
		return 0
	}
	return c.all[c.at]
}

// take consumes one byte.
func (c *cursor) take(b byte) bool {
	if c.lost || c.next() != b {
		c.lost = true
		return false
	}
	c.at++
	return true
}

// word consumes what stands there if it is w.
func (c *cursor) word(w string) bool {
	if c.lost || !strings.HasPrefix(c.all[c.at:], w) {
		return false
	}
	c.at += len(w)
	return true
}

// member reports whether the next member has this name, and consumes the name.
func (c *cursor) member(name string) bool {
	if c.lost {
		return false
	}
	rest := c.all[c.at:]
	comma := 1
	if c.first {
		comma = 0
	} else if rest == "" || rest[0] != ',' {
		return false
	}
	from := comma + 1
	to := from + len(name)
	if len(rest) < to+2 || rest[comma] != '"' || rest[from:to] != name || rest[to] != '"' || rest[to+1] != ':' {
		return false
	}
	c.at, c.first = c.at+to+2, false
	return true
}

// plain is the text of a string of ASCII without escapes.
func (c *cursor) plain() string {
	text, kind := c.quoted()
	if kind != 0 {
		c.lost = true
	}
	return text
}

// text is any string without \u escapes; canonical strings have them for a few
// control characters only.
func (c *cursor) text() string {
	text, kind := c.quoted()
	switch {
	case kind == 0:
	case kind&control != 0 || kind&wide != 0 && !utf8.ValidString(text):
		c.lost = true
	case kind&escape != 0:
		return c.unescaped(text)
	}
	return text
}

// What a string holds beside printable ASCII.
const (
	control = 1 << iota // U+0000 to U+001F, which JSON forbids
	escape
	wide // bytes of UTF-8
)

// quoted consumes a string, and gives what stands between its quotes and what
// kinds of bytes were seen there.
func (c *cursor) quoted() (text string, kind byte) {
	if !c.take('"') {
		return "", 0
	}
	from := c.at
	for i := from; i < len(c.all); {
		if n := plainBytes(c.all[i:]); n > 0 {
			i += n
			continue
		}
		switch b := c.all[i]; {
		case b == '"':
			c.at = i + 1
			return c.all[from:i], kind
		case b == '\\':
			kind |= escape
			i++
		case b < 0x20:
			kind |= control
		case b >= utf8.RuneSelf:
			kind |= wide
		}
		i++
	}
	c.lost = true
	return "", 0
}

// plainBytes counts, eight at a time, the bytes that s begins with and that
// are neither a quote, a backslash, a control character nor beyond ASCII. 0
// says nothing where s is shorter than eight.
func plainBytes(s string) int {
	const (
		lows = 0x0101010101010101
		tops = lows << 7
	)
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		b := s[n : n+8]
		w := uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
		// A byte is zero, or below 0x20, where taking 1 or 0x20 from it sets a top
		// bit that was not set. The first mark is exact; a borrow may make others.
		quote, slash := w^(lows*'"'), w^(lows*'\\')
		if marks := (w | (w-lows*0x20)&^w | (quote-lows)&^quote | (slash-lows)&^slash) & tops; marks != 0 {
			return n + bits.TrailingZeros64(marks)/8
		}
	}
	return n
}

// unescaped: the byte behind a backslash was not looked at before.
func (c *cursor) unescaped(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for {
		plain, rest, found := strings.Cut(text, `\`)
		b.WriteString(plain)
		if !found {
			return b.String()
		}
		at := strings.IndexByte(`"\/bfnrt`, rest[0])
		if at < 0 {
			c.lost = true
			return ""
		}
		b.WriteByte("\"\\/\b\f\n\r\t"[at])
		text = rest[1:]
	}
}

func (c *cursor) null() bool { return c.word("null") }

func (c *cursor) bool() bool {
	is := c.word("true")
	if !is && !c.word("false") {
		c.lost = true
	}
	return is
}

// maxDigits is how many digits of a number fit an int64 whatever they are.
const maxDigits = 18

func (c *cursor) int() (n int64) {
	negative := c.word("-")
	from := c.at
	for ; c.at < len(c.all) && c.all[c.at]-'0' <= 9; c.at++ {
		if c.at-from == maxDigits {
			c.lost = true
			return 0
		}
		n = n*10 + int64(c.all[c.at]-'0')
	}
	if digits := c.at - from; digits == 0 || digits > 1 && c.all[from] == '0' || negative && n == 0 {
		c.lost = true // not a number, or not the canonical form of one
	}
	if negative {
		return -n
	}
	return n
}

func (c *cursor) uint() uint64 {
	n := c.int()
	if n < 0 {
		c.lost = true
	}
	return uint64(n)
}

// time is a time as UTC writes it; other zones are left to the time package.
func (c *cursor) time() (t time.Time) {
	text := c.plain()
	if c.lost {
		return t
	}
	if t, ok := utc(text); ok {
		return t
	}
	c.lost = t.UnmarshalText([]byte(text)) != nil
	return t
}

// base64 is bytes, or null.
func (c *cursor) base64() []byte {
	if c.null() {
		return nil
	}
	text := c.plain()
	if c.lost {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(text)
	c.lost = err != nil
	return data
}

// list is an array of strings, or null.
func list[S ~string](c *cursor) []S {
	all := []S{}
	if c.null() || !c.take('[') {
		return nil
	}
	for c.next() != ']' {
		if len(all) > 0 && !c.take(',') {
			return nil
		}
		if all = append(all, S(c.text())); c.lost {
			return nil
		}
	}
	c.take(']')
	return all
}

// optional is a value that null stands for the absence of.
func optional[T any](c *cursor, read func() T) *T {
	if c.null() {
		return nil
	}
	v := read()
	return &v
}
