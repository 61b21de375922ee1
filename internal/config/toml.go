package config

import "bytes"

// looksLikeTOML reports, for a document that is not valid, whether its author
// wrote TOML: the first line with content is a [table] header or a key = value
// pair. Neither can begin a valid config.
func looksLikeTOML(data []byte) bool {
	for line := range bytes.Lines(data) {
		t := bytes.TrimSpace(line)
		if len(t) == 0 || t[0] == '#' {
			continue
		}
		return tableHeader(t) || keyEquals(t)
	}
	return false
}

// tableHeader recognises [name], [a.b] and [[name]] with an optional comment.
func tableHeader(t []byte) bool {
	t, ok := bytes.CutPrefix(t, []byte("["))
	if !ok {
		return false
	}
	t, array := bytes.CutPrefix(t, []byte("["))
	i := bytes.IndexByte(t, ']')
	if i <= 0 || !bareKey(t[:i]) {
		return false
	}
	t = t[i+1:]
	if array {
		if t, ok = bytes.CutPrefix(t, []byte("]")); !ok {
			return false
		}
	}
	t = bytes.TrimSpace(t)
	return len(t) == 0 || t[0] == '#'
}

// keyEquals recognises key = value.
func keyEquals(t []byte) bool {
	key, value, ok := bytes.Cut(t, []byte("="))
	return ok && bareKey(bytes.TrimSpace(key)) && len(bytes.TrimSpace(value)) > 0
}

func bareKey(k []byte) bool {
	for _, c := range k {
		if !isAlnum(c) && c != '_' && c != '-' && c != '.' && c != '"' && c != ' ' {
			return false
		}
	}
	return len(k) > 0
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
