package durable

import (
	"io/fs"
	"strings"
)

// maxName is PATH_MAX without its terminating zero byte. A longer name cannot reach the
// kernel in one call, so both ways of resolving refuse it.
const maxName = 4095

// CheckName reports whether name is valid for an [FS]: slash-separated,
// relative, without empty, "." or ".." elements and without zero bytes; or
// "." alone. Otherwise it returns a [*fs.PathError] that wraps [ErrName].
// Bytes that are not UTF-8 are allowed: disks hold such names, and a tree that holds one
// must still be listed and removed.
func CheckName(name string) error {
	if cleanName(name) {
		return nil
	}
	return &fs.PathError{Op: "resolve", Path: name, Err: ErrName}
}

func cleanName(name string) bool {
	if name == "." {
		return true
	}
	if name == "" || len(name) > maxName || strings.IndexByte(name, 0) >= 0 {
		return false
	}
	for rest, more := name, true; more; {
		var elem string
		elem, rest, more = strings.Cut(rest, "/")
		if elem == "" || elem == "." || elem == ".." {
			return false
		}
	}
	return true
}

// splitName returns the directory ("." for the root) and the last component.
func splitName(name string) (dir, base string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return ".", name
}
