package projections

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/autonomyops/edged/internal/digest"
)

// ErrUnparseable: the file is not one JSON object (empty, trailing data,
// duplicate members, not UTF-8), or a member has the wrong type.
var ErrUnparseable = errors.New("not a well-formed projection")

// maxExact is the greatest whole number that RFC 8785 keeps exactly.
const maxExact = 1<<53 - 1

// maxName is the greatest length in bytes of an id or a hash that is copied from a
// file on the disk into an event or a log line.
const maxName = 128

// memberTruncated is written only if it is true; no other member is optional.
const memberTruncated = "os_release_truncated"

// document is a parsed file from the disk.
type document struct {
	// bare is the RFC 8785 form without journal.digest, over which the digest is computed.
	bare    jsontext.Value
	members []member
	// refers: there is a member journal, whatever its content.
	refers bool
	// ref is the member journal if its digest is right; nil otherwise.
	ref *reference
}

// reference is a member journal.
type reference struct {
	id         string
	seq        uint64
	hash, prev string
}

// member is a member of an object in canonical form; obj[start:end] is its text.
type member struct {
	name       string
	value      jsontext.Value
	start, end int
}

// parse parses a file from the disk. Its memory is proportional to data.
func parse(data []byte) (*document, error) {
	v := jsontext.Value(bytes.Clone(data))
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnparseable, err)
	}
	if v.Kind() != '{' {
		return nil, ErrUnparseable
	}
	d := &document{bare: v}
	var err error
	if d.members, err = split(v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnparseable, err)
	}
	journal, ok := d.find("journal")
	if !ok {
		return d, nil
	}
	d.refers = true
	return d, d.readReference(journal)
}

// readReference removes the digest from the canonical form. If the digest is
// right, it keeps the content of the member journal.
func (d *document) readReference(journal member) error {
	if journal.value.Kind() != '{' {
		return ErrUnparseable
	}
	members, err := split(journal.value)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnparseable, err)
	}
	var ref reference
	var claimed string
	good := true
	for _, m := range members {
		ok := true
		switch m.name {
		case "id":
			ref.id, ok = nameOf(m.value)
		case "seq":
			ref.seq, ok = wholeOf(m.value)
		case "hash":
			ref.hash, ok = nameOf(m.value)
		case "prev":
			ref.prev, ok = nameOf(m.value)
		case "digest":
			claimed, ok = nameOf(m.value)
			d.bare = cut(d.bare, journal.end-len(journal.value), m, len(members) > 1)
		}
		good = good && ok
	}
	if !good || ref.id == "" || ref.seq == 0 {
		return ErrUnparseable
	}
	if claimed != "" && claimed == digest.Of(d.bare) {
		d.ref = &ref
	}
	// The old offsets are those of the form with the digest.
	d.members, err = split(d.bare)
	return err
}

// cut removes a member of the object that begins at base, and one comma if the
// object has other members.
func cut(v jsontext.Value, base int, m member, others bool) jsontext.Value {
	start, end := base+m.start, base+m.end
	if others {
		if v[start-1] == ',' {
			start--
		} else {
			end++
		}
	}
	return append(bytes.Clone(v[:start]), v[end:]...)
}

// find returns the member with this name.
func (d *document) find(name string) (member, bool) { return find(d.members, name) }

func find(members []member, name string) (member, bool) {
	for _, m := range members {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// split lists the members of an object in canonical form.
func split(obj jsontext.Value) ([]member, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(obj))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var out []member
	for d.PeekKind() == '"' {
		start := int(d.InputOffset())
		if obj[start] == ',' {
			start++
		}
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String() // before the next read invalidates the token
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		end := int(d.InputOffset())
		out = append(out, member{key, obj[end-len(value) : end], start, end})
	}
	_, err := d.ReadToken()
	return out, err
}

// elements lists the elements of an array in canonical form.
func elements(arr jsontext.Value) ([]jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(arr))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var out []jsontext.Value
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		end := int(d.InputOffset())
		out = append(out, arr[end-len(value):end])
	}
	return out, nil
}

// covers reports whether found, in canonical form, has every member of want with
// the same value. extra reports whether it has more members, which a newer version
// wrote. Arrays of different length differ.
func covers(want, found jsontext.Value) (equal, extra bool) {
	if bytes.Equal(want, found) {
		return true, false
	}
	if want.Kind() != found.Kind() {
		return false, false
	}
	switch want.Kind() {
	case '{':
		return coversObject(want, found)
	case '[':
		w, errW := elements(want)
		f, errF := elements(found)
		if errW != nil || errF != nil || len(w) != len(f) {
			return false, false
		}
		for i := range w {
			e, x := covers(w[i], f[i])
			if !e {
				return false, false
			}
			extra = extra || x
		}
		return true, extra
	}
	return false, false
}

func coversObject(want, found jsontext.Value) (equal, extra bool) {
	w, errW := split(want)
	f, errF := split(found)
	if errW != nil || errF != nil {
		return false, false
	}
	for _, m := range w {
		other, ok := find(f, m.name)
		if !ok {
			return false, false
		}
		e, x := covers(m.value, other.value)
		if !e {
			return false, false
		}
		extra = extra || x
	}
	if _, claimed := find(f, memberTruncated); claimed {
		if _, due := find(w, memberTruncated); !due {
			return false, false // this version knows the member: its absence means false
		}
	}
	return true, extra || len(f) > len(w)
}

// stringOf reads a JSON string.
func stringOf(v jsontext.Value) (string, bool) {
	if v.Kind() != '"' {
		return "", false
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err == nil
}

// nameOf reads a JSON string that may be copied into an event or a log line: short,
// printable ASCII without spaces.
func nameOf(v jsontext.Value) (string, bool) {
	s, ok := stringOf(v)
	if !ok || len(s) > maxName {
		return "", false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return "", false
		}
	}
	return s, true
}

// wholeOf reads a whole number that a JSON number holds exactly.
func wholeOf(v jsontext.Value) (uint64, bool) {
	n, err := strconv.ParseUint(string(v), 10, 64)
	return n, err == nil && n <= maxExact
}
