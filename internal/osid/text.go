package osid

import "unicode/utf8"

// MaxTextBytes is how much os-release text is kept, counted as the bytes that
// it takes in canonical JSON (RFC 8785) without the quotes: the text goes into
// records of bounded size, and a file of control characters swells sixfold.
const MaxTextBytes = 16 << 10

// keep gives data as valid UTF-8 that takes at most limit bytes in JSON, cut
// between characters, and whether it was cut. Each byte that is not part of
// valid UTF-8 becomes U+FFFD.
func keep(data []byte, limit int) (string, bool) {
	out := make([]byte, 0, min(len(data), limit))
	used := 0
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if used += escapedLen(r); used > limit {
			return string(out), true
		}
		out = utf8.AppendRune(out, r)
		i += n
	}
	return string(out), false
}

// escapedLen is the length of r inside a canonical JSON string, in bytes.
func escapedLen(r rune) int {
	switch r {
	case '"', '\\', '\b', '\t', '\n', '\f', '\r':
		return 2
	}
	if r < ' ' {
		return len(`\u0000`)
	}
	return utf8.RuneLen(r)
}
