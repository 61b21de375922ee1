package export

import "bytes"

// eachMember calls visit with the raw name (without quotes) and the raw value of
// each member of an object in canonical JSON, without white space. The record's
// decoder has checked that form; eachMember stops at anything else.
func eachMember(object []byte, visit func(name, value []byte)) {
	b := object
	if len(b) < 2 || b[0] != '{' {
		return
	}
	for i := 1; i < len(b) && b[i] == '"'; {
		end := stringEnd(b, i)
		if end < 0 || end >= len(b) || b[end] != ':' {
			return
		}
		name := b[i+1 : end-1]
		from := end + 1
		if i = valueEnd(b, from); i < 0 || i >= len(b) {
			return
		}
		visit(name, b[from:i])
		if b[i] != ',' {
			return
		}
		i++
	}
}

// stringEnd returns the offset after the string that begins at i, or -1.
func stringEnd(b []byte, i int) int {
	for j := i + 1; j < len(b); {
		n := bytes.IndexByte(b[j:], '"')
		if n < 0 {
			return -1
		}
		j += n + 1
		// A quote ends the string unless an odd number of backslashes precedes it.
		slashes := 0
		for k := j - 2; k > i && b[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return j
		}
	}
	return -1
}

// valueEnd returns the offset after the value that begins at i, or -1.
func valueEnd(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // after a number or a word, at the end of the object or array
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return -1
}
