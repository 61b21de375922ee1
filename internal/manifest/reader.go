package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// reader walks a manifest's JSON and collects its problems. It continues
// after a wrong value, so that one run reports every problem, and stops
// at the first error of syntax.
type reader struct {
	dec      *jsontext.Decoder
	problems []Problem
	broken   bool
}

func newReader(data []byte) *reader {
	// Duplicate members are this reader's to find: the decoder would stop there.
	return &reader{dec: jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))}
}

func (r *reader) add(where, format string, args ...any) {
	r.problems = append(r.problems, Problem{where, fmt.Sprintf(format, args...)})
}

// syntax records an error after which nothing can be read.
func (r *reader) syntax(err error) {
	if r.broken {
		return
	}
	r.broken = true
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &syntax):
		r.add(string(syntax.JSONPointer), "at byte %d: %v", syntax.ByteOffset, syntax.Err)
	case errors.Is(err, io.EOF):
		r.add("", "there is no JSON in it")
	default:
		r.add("", "%v", err)
	}
}

// skip skips one value. Its syntax is still checked.
func (r *reader) skip() {
	if err := r.dec.SkipValue(); err != nil {
		r.syntax(err)
	}
}

// value reads one value of a kind; any other is a problem.
func (r *reader) value(where string, kind jsontext.Kind, wanted string) (jsontext.Value, bool) {
	if found := r.dec.PeekKind(); found != kind {
		r.wrong(where, found, wanted)
		return nil, false
	}
	v, err := r.dec.ReadValue()
	if err != nil {
		r.syntax(err)
		return nil, false
	}
	return v, true
}

// wrong records a value of the wrong type and skips it.
func (r *reader) wrong(where string, found jsontext.Kind, wanted string) {
	before := len(r.problems)
	at := r.dec.InputOffset()
	r.skip()
	if !r.broken && len(r.problems) == before {
		r.add(where, "after byte %d: %s, want %s", at, kindName(found), wanted)
	}
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "no value"
}

// text reads a string that must not be empty.
func (r *reader) text(where string) string {
	v, ok := r.value(where, '"', "a string")
	if !ok {
		return ""
	}
	out, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		r.add(where, "%v", err)
		return ""
	}
	if len(out) == 0 {
		r.add(where, "it is empty")
	}
	return string(out)
}

// whole reads a whole number that every JSON reader keeps exactly, written
// with digits alone: 1.0, 1e3 and -0 are refused.
func (r *reader) whole(where string) *int64 {
	v, ok := r.value(where, '0', "a whole number")
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil || n > maxWhole {
		r.add(where, "%s is not a whole number from 0 to %d, written with digits alone", abbreviated(string(v)), int64(maxWhole))
		return nil
	}
	whole := int64(n)
	return &whole
}

// object reads the members of an object. member reads the value of a member
// that it knows, and reports whether it does; names are compared exactly.
// object reports whether the object could be read to its end, so that a member that was
// not seen is missing.
func (r *reader) object(where string, member func(name string) bool) bool {
	if found := r.dec.PeekKind(); found != '{' {
		r.wrong(where, found, "an object")
		return false
	}
	r.token()
	seen := map[string]bool{}
	for !r.broken {
		if r.dec.PeekKind() == '}' {
			break
		}
		tok, err := r.dec.ReadToken()
		if err != nil {
			r.syntax(err)
			return false
		}
		name := tok.String()
		at := where + "/" + pointerEscape(name)
		switch {
		case seen[name]:
			r.add(at, "after byte %d: the member appears twice", r.dec.InputOffset())
			r.skip()
		case !member(name):
			r.add(at, "after byte %d: unknown member", r.dec.InputOffset())
			r.skip()
		}
		seen[name] = true
	}
	r.token()
	return !r.broken
}

// token reads a bracket that PeekKind has found.
func (r *reader) token() {
	if r.broken {
		return
	}
	if _, err := r.dec.ReadToken(); err != nil {
		r.syntax(err)
	}
}

// end checks that only white space follows.
func (r *reader) end() {
	if r.broken {
		return
	}
	switch _, err := r.dec.ReadToken(); {
	case err == nil:
		r.add("", "at byte %d: there is data behind the manifest", r.dec.InputOffset())
	case !errors.Is(err, io.EOF):
		r.syntax(err)
	}
}

// pointerEscape returns a member's name in the form of RFC 6901, and not longer than
// anybody would read.
func pointerEscape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(abbreviated(name))
}

func abbreviated(s string) string {
	const most = 40 // bytes
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 { // not within a character
		cut--
	}
	return s[:cut] + "..."
}
