package osid

import "unicode/utf8"

// MaxTextBytes is the most os-release text that is kept, in bytes of canonical JSON (RFC
// 8785) without the quotes. The text goes into records of bounded size, and escaping makes
// control characters six times as long.
const MaxTextBytes = 16 << 10

// keep returns data as valid UTF-8 that takes at most limit bytes in JSON, cut between
// characters, and reports whether it was cut. Each byte that is not part of valid UTF-8
// becomes U+FFFD.
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

// escapedLen returns the length of r inside a canonical JSON string, in bytes.
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
