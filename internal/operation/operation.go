// Package operation validates and applies the operations of a verified
// manifest. There is no shell, no interpreter and no pattern in it: an
// operation copies one named regular file to one named place.
//
// All operations are validated before the first is applied. Each is published
// by a rename, so that a destination holds the old bytes or the new ones; a
// crash leaves at most a temporary file (see [IsTemp]) beside a destination,
// which the next application of the same operation removes.
package operation

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Planned is a validated operation. Src and Dst are clean and relative to the
// state root.
type Planned struct {
	Index  int
	Op     string
	Src    string
	Dst    string
	BLAKE3 string // the pinned content, "" for none
	Mode   fs.FileMode
}

// Result is what an applied operation left at its destination.
type Result struct {
	Bytes          int64
	BLAKE3         string
	Mode           string // octal, four digits
	HashPinned     bool
	AlreadyInPlace bool
}

// Reasons for which an operation is refused; Error answers errors.Is for them.
var (
	ErrPath     = errors.New("path not allowed")
	ErrSource   = errors.New("source not usable")
	ErrDest     = errors.New("destination not usable")
	ErrMismatch = errors.New("content does not match the pinned blake3")
	ErrChanged  = errors.New("source changed while it was copied")
)

// Error says which operation was refused, and why. Path is relative to the
// state root, or as written where it could not be resolved.
type Error struct {
	Index int
	Op    string
	Field string // src, dst, blake3, or "" for the operation's application
	Path  string
	Err   error
}

func (e *Error) Error() string {
	where := fmt.Sprintf("operation %d (%s)", e.Index, e.Op)
	if e.Field != "" {
		where += ": " + e.Field + " " + fmt.Sprintf("%q", e.Path)
	}
	return fmt.Sprintf("%s: %v", where, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Message is the log line's.
func (e *Error) Message() string {
	switch {
	case errors.Is(e.Err, ErrMismatch):
		return "precheck: operation source hash mismatch"
	case e.Field == "":
		return "precheck: operation failed"
	}
	return "precheck: operation rejected"
}

// NextStep says what to do about it.
func (e *Error) NextStep() string {
	switch {
	case errors.Is(e.Err, ErrMismatch):
		return "deploy the binary that the manifest pins, or sign a manifest for the one that is there"
	case e.Field == "":
		return "check free space, the disk and the kernel log; the next boot tries again"
	}
	return "correct the manifest and sign it again, or put the file in place; the next boot tries again"
}

const tempPrefix, tempSuffix = ".edged-op-", ".tmp"

// IsTemp reports whether a base name is that of a temporary file left by an
// application that lost power.
func IsTemp(base string) bool {
	return strings.HasPrefix(base, tempPrefix) && strings.HasSuffix(base, tempSuffix)
}
