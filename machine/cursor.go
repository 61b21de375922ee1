package machine

import (
	"bytes"
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"
)

// cursor reads the canonical form (RFC 8785) of payloads that this version
// writes: members in their order, nothing that is not known, no white space.
// Whatever else it meets, it gives up, and the payload is decoded by
// encoding/json, which alone decides what is an error. So the cursor never has
// to be right about what is strange, only about what it accepts.
type cursor struct {
	rest  []byte
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

// take consumes one byte.
func (c *cursor) take(b byte) bool {
	if c.lost || len(c.rest) == 0 || c.rest[0] != b {
		c.lost = true
		return false
	}
	c.rest = c.rest[1:]
	return true
}

// member reports whether the next member has this name, and consumes the name.
func (c *cursor) member(name string) bool {
	at := c.rest
	if c.lost {
		return false
	}
	if !c.first {
		if len(at) == 0 || at[0] != ',' {
			return false
		}
		at = at[1:]
	}
	if n := len(name); len(at) < n+3 || at[0] != '"' || string(at[1:n+1]) != name || at[n+1] != '"' || at[n+2] != ':' {
		return false
	}
	c.rest, c.first = at[len(name)+3:], false
	return true
}

// plain is the text of a string of printable ASCII without escapes.
func (c *cursor) plain() []byte {
	if !c.take('"') {
		return nil
	}
	for i, b := range c.rest {
		switch {
		case b == '"':
			text := c.rest[:i]
			c.rest = c.rest[i+1:]
			return text
		case b < 0x20 || b >= 0x80 || b == '\\':
			c.lost = true
			return nil
		}
	}
	c.lost = true
	return nil
}

// text is any string without \u escapes; canonical strings have them for a few
// control characters only.
func (c *cursor) text() string {
	if !c.take('"') {
		return ""
	}
	escapes, ascii := 0, true
	for i := 0; i < len(c.rest); i++ {
		switch b := c.rest[i]; {
		case b == '"':
			text := c.rest[:i]
			c.rest = c.rest[i+1:]
			switch {
			case !ascii && !utf8.Valid(text):
				c.lost = true
			case escapes > 0:
				return c.unescaped(text, escapes)
			}
			return string(text)
		case b == '\\':
			escapes++
			i++
		case b < 0x20:
			c.lost = true
			return ""
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	c.lost = true
	return ""
}

func (c *cursor) unescaped(text []byte, escapes int) string {
	var b strings.Builder
	b.Grow(len(text) - escapes)
	for {
		plain, rest, found := bytes.Cut(text, []byte{'\\'})
		b.Write(plain)
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

func (c *cursor) null() bool {
	if c.lost || !bytes.HasPrefix(c.rest, []byte("null")) {
		return false
	}
	c.rest = c.rest[len("null"):]
	return true
}

func (c *cursor) bool() bool {
	for _, v := range []struct {
		text  string
		value bool
	}{{"true", true}, {"false", false}} {
		if bytes.HasPrefix(c.rest, []byte(v.text)) {
			c.rest = c.rest[len(v.text):]
			return v.value
		}
	}
	c.lost = true
	return false
}

// maxDigits is how many digits of a number fit an int64 whatever they are.
const maxDigits = 18

func (c *cursor) int() int64 {
	negative := len(c.rest) > 0 && c.rest[0] == '-'
	if negative {
		c.rest = c.rest[1:]
	}
	n, digits := int64(0), 0
	for digits < len(c.rest) && c.rest[digits] >= '0' && c.rest[digits] <= '9' {
		if digits == maxDigits {
			c.lost = true
			return 0
		}
		n = n*10 + int64(c.rest[digits]-'0')
		digits++
	}
	if digits == 0 || digits > 1 && c.rest[0] == '0' || negative && n == 0 {
		c.lost = true // not a number, or not the canonical form of one
	}
	c.rest = c.rest[digits:]
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

func (c *cursor) time() (t time.Time) {
	if text := c.plain(); !c.lost {
		c.lost = t.UnmarshalText(text) != nil
	}
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
	data := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(data, text)
	c.lost = err != nil
	return data[:n]
}

// list is an array of strings, or null.
func list[S ~string](c *cursor) []S {
	all := []S{}
	if c.null() || !c.take('[') {
		return nil
	}
	for len(c.rest) > 0 && c.rest[0] != ']' {
		if len(all) > 0 && !c.take(',') {
			return nil
		}
		all = append(all, S(c.text()))
		if c.lost {
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
