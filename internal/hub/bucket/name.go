package bucket

import (
	"slices"
	"strings"

	"github.com/autonomyops/edged/internal/errs"
)

// MaxObject is the largest object in bytes.
const MaxObject = 64 << 20

// folders are the first elements of the names of a hub's objects.
var folders = []string{"heads", "records", "checkpoints", "keys", "conflicts", "views", "rollbacks"}

// An element of a name is the name of a file, and a key of S3 has at most 1,024 bytes
// with the prefix of the store.
const (
	maxElement = 255
	maxName    = 700
)

// checkName returns [errs.ErrInvalid] for a name that is not one of a hub's objects.
// A name that passes is the same path in a folder and the same key in S3.
func checkName(name string) error {
	folder, rest, _ := strings.Cut(name, "/")
	if !slices.Contains(folders, folder) {
		return errs.Invalid(0, nil, "name an object %q outside %s", name, strings.Join(folders, ", "))
	}
	if len(name) > maxName {
		return errs.Invalid(0, nil, "name an object with %d bytes, more than %d", len(name), maxName)
	}
	for element := range strings.SplitSeq(rest, "/") {
		if !cleanElement(element) {
			return errs.Invalid(0, nil, "name an object %q", name)
		}
	}
	return nil
}

func cleanElement(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return s != "" && s != "." && s != ".." && len(s) <= maxElement
}

// checkPrefix returns [errs.ErrInvalid] for a prefix that is not a folder of a hub's
// objects with a slash at its end.
func checkPrefix(prefix string) error {
	dir, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return errs.Invalid(0, nil, "list objects below %q, which does not end in a slash", prefix)
	}
	if slices.Contains(folders, dir) {
		return nil
	}
	return checkName(dir)
}

// checkSize returns [errs.ErrTooLarge] for an object that no store accepts.
func checkSize(name string, data []byte) error {
	if len(data) <= MaxObject {
		return nil
	}
	return &errs.Error{Kind: errs.ErrTooLarge, Detail: "write an object", Path: name, Next: errs.NextDevelop}
}
