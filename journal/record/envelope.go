package record

import (
	"bytes"
	"strconv"
)

// EnvelopeText gives a string member of a record's envelope from canonical
// bytes, without reading the rest: as it is written, up to its first quote (one
// that is escaped leaves a backslash at the end); nil where there is none. It
// is for looking through a long history: what it says of bytes that are not a
// record means nothing.
//
// The member is one that stands behind data, such as time, type or run. No
// string of the envelope holds an unescaped quote, so the last text that looks
// like the member is the envelope's, whatever data holds.
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

// EnvelopeNumber gives a numeric member that stands behind data, epoch or seq,
// likewise; ok is false where there is none. A number behind data follows no
// string of the envelope that could look like it, for the same reason.
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
