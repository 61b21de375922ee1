package record

import (
	"bytes"
	"strconv"
)

// EnvelopeText returns a string member of a record's envelope, in its written
// form and up to its first quote; nil if there is none. (An escaped quote leaves
// a backslash at the end.) It does not parse the record, so that a long history
// can be searched fast. On bytes that are not a record the result means nothing.
//
// The member must be one after data, such as time, type or run. No string of the
// envelope holds an unescaped quote, so the last match is the envelope's,
// whatever data holds.
func EnvelopeText(raw []byte, member string) []byte {
	mark := `,"` + member + `":"`
	at := bytes.LastIndex(raw, []byte(mark))
	if at < 0 {
		return nil
	}
	text, _, ok := bytes.Cut(raw[at+len(mark):], []byte(`"`))
	if !ok {
		return nil
	}
	return text
}

// EnvelopeNumber returns a numeric member after data, epoch or seq, in the same
// way; ok is false if there is none. For the same reason no string of the
// envelope can look like one.
func EnvelopeNumber(raw []byte, member string) (n uint64, ok bool) {
	mark := `,"` + member + `":`
	at := bytes.LastIndex(raw, []byte(mark))
	if at < 0 {
		return 0, false
	}
	digits := raw[at+len(mark):]
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(string(digits[:end]), 10, 64)
	return n, err == nil
}
