package history

import (
	"errors"
	"fmt"
)

var (
	// ErrAbsent: there is nothing at the path.
	ErrAbsent = errors.New("does not exist")
	// ErrUnreadable: the path cannot be read.
	ErrUnreadable = errors.New("cannot be read")
	// ErrNotEvidence: there is something at the path, but no history of a node.
	ErrNotEvidence = errors.New("is neither a state root, a journal directory, an export nor an audit bundle")
	// ErrChanged: it may be evidence, in another form than it was written in.
	ErrChanged = errors.New("is not as edgectl wrote it")
	// ErrBundle: it is an audit bundle that is damaged, cut short or made to
	// mislead.
	ErrBundle = errors.New("is no sound audit bundle")
)

// Error says why a path cannot be opened as evidence. Kind is one of the
// sentinels of this package.
type Error struct {
	Path string
	Kind error
	Err  error  // the system's error, may be nil
	Next string // what to do about it
}

// Error says what, why and what to do next.
func (e *Error) Error() string {
	text := fmt.Sprintf("open evidence: %s %v", e.Path, e.Kind)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text + "; " + e.Next
}

// Unwrap gives the kind and the system's error, for errors.Is.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

func absent(path string) error {
	return &Error{Path: path, Kind: ErrAbsent,
		Next: "name a state root, a journal directory, an exported .jsonl or an audit bundle; is the partition mounted?"}
}

func unreadable(path string, err error) error {
	return &Error{Path: path, Kind: ErrUnreadable, Err: err, Next: "check its permissions, or run as a user that may read it"}
}

func notEvidence(path, found string) error {
	return &Error{Path: path, Kind: ErrNotEvidence, Err: errors.New(found),
		Next: "name a state root, a journal directory, an exported .jsonl or an audit bundle"}
}
