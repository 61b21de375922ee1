// Package operation validates and applies the operations of a verified
// manifest. There is no shell, no interpreter and no pattern in it: an
// operation copies one named regular file to one named place.
//
// All operations are validated before the first is applied. Each is published
// by a rename, so that a destination holds the old bytes or the new ones.
//
// A crash may leave one temporary file in the directory of a destination, under a name
// that is the same in every directory. The next application of any operation into that
// directory removes it, so that there is at most one in it. Operations are applied one at
// a time, under the gate's lock.
package operation

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
	"github.com/autonomyops/edged/internal/manifest"
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

// Result describes the destination of an applied operation.
type Result struct {
	Bytes          int64
	BLAKE3         string
	Mode           string // octal, four digits
	HashPinned     bool
	AlreadyInPlace bool
	// Leftover is the reason why the temporary file of an interrupted application
	// is still there. Nothing depends on it.
	Leftover error
}

// Reasons for which an operation is refused. errors.Is finds them in an Error.
var (
	ErrPath     = errors.New("path not allowed")
	ErrSource   = errors.New("source not usable")
	ErrDest     = errors.New("destination not usable")
	ErrMismatch = errors.New("content does not match the pinned blake3")
	ErrChanged  = errors.New("file changed while it was read")
	// ErrExchanged: the name does not lead to the file that was written and hashed,
	// or that file has a second name.
	ErrExchanged = errors.New("another file was put under the name")
)

// Error names the operation that was refused, and the reason. Path is relative to the
// state root, or as written if it could not be resolved.
type Error struct {
	Index int    // -1 for the manifest's binary_path, and for the config
	Op    string // "" for these
	Field string // src, dst, mode, binary_path, FieldConfig, or "" for the operation's application
	Path  string
	Err   error
}

// FieldConfig is the Field of an error about the config that evidence hashes. It is no
// member of a manifest.
const FieldConfig = "config"

func (e *Error) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("%s %q: %v", e.Field, e.Path, e.Err)
	}
	where := fmt.Sprintf("operation %d (%s)", e.Index, e.Op)
	if e.Field != "" {
		where += ": " + e.Field + " " + fmt.Sprintf("%q", e.Path)
	}
	return fmt.Sprintf("%s: %v", where, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Message returns the message of the log line.
func (e *Error) Message() string {
	switch {
	case errors.Is(e.Err, ErrMismatch):
		return "precheck: operation source hash mismatch"
	case e.Field == "":
		return "precheck: operation failed"
	}
	return "precheck: operation rejected"
}

// NextStep returns the instruction for the operator.
func (e *Error) NextStep() string {
	var refused *fault.Error
	switch {
	case errors.As(e.Err, &refused):
		return refused.Next + "; the next boot tries again"
	case errors.Is(e.Err, ErrMismatch):
		return "deploy the binary that the manifest pins, or sign a manifest for the file that is there"
	case errors.Is(e.Err, ErrChanged):
		return "find out what writes to the source; the next boot tries again"
	case errors.Is(e.Err, ErrExchanged):
		return "find out what else writes to the directory; the next boot tries again"
	case e.Field == "" && !errors.Is(e.Err, ErrSource):
		return "check the disk and the kernel log; the next boot tries again"
	}
	return "correct the manifest and sign it again, or put the file in place; the next boot tries again"
}

// tempName is the base name of the temporary file that an interrupted application leaves.
const tempName = ".edged-op.tmp"

// Sweep removes the temporary files that an interrupted application of m may have left
// beside its destinations. It skips destinations that the rules do not allow. It returns
// an error for each file that is still there.
func Sweep(fsys durable.FS, root string, m *manifest.Manifest) (left []error) {
	for _, op := range m.Operations {
		dst, err := destination(root, op)
		if err != nil {
			continue
		}
		if err := removeStale(fsys, tempOf(dst)); err != nil {
			left = append(left, err)
		}
	}
	return left
}
