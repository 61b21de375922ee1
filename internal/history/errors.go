package history

import (
	"errors"

	"github.com/autonomyops/edged/internal/errs"
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

// refused says why the history at path was not opened. Kind is one of the
// sentinels of this package; cause is what was found, or the system's error.
func refused(kind error, path string, cause error, next string) error {
	return &errs.Error{Kind: kind, Check: "open the history at", Path: path, Err: cause, Next: next}
}

const nextName = "name a state root, a journal directory, an exported .jsonl or an audit bundle"

func absent(path string) error {
	return refused(ErrAbsent, path, nil, nextName+"; is the partition mounted?")
}

func unreadable(path string, err error) error {
	return refused(ErrUnreadable, path, err, "check its permissions, or run as a user that may read it")
}

func notEvidence(path, found string) error {
	return refused(ErrNotEvidence, path, errors.New(found), nextName)
}
