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
	// ErrNotEvidence: the path exists, but is not a history of a node.
	ErrNotEvidence = errors.New("is neither a state root, a journal directory, an export nor an audit bundle")
	// ErrChanged: another program has converted the file.
	ErrChanged = errors.New("is not as edgectl wrote it")
	// ErrBundle: the audit bundle is damaged, truncated or forged.
	ErrBundle = errors.New("is not a sound audit bundle")
)

// refused returns the error about a history that was not opened. kind is a
// sentinel of this package; cause is the fault, or the system's error.
func refused(kind error, path string, cause error, next string) error {
	return &errs.Error{Kind: kind, Check: "open the history at", Path: path, Err: cause, Next: next}
}

const (
	nextName  = "name a state root, a journal directory, an exported .jsonl or an audit bundle"
	nextMount = "check that the partition is mounted, then " + nextName
)

func absent(path string) error {
	return refused(ErrAbsent, path, nil, nextMount)
}

func unreadable(path string, err error) error {
	return refused(ErrUnreadable, path, err, "check its permissions, or run as a user that may read it")
}

func notEvidence(path, found string) error {
	return refused(ErrNotEvidence, path, errors.New(found), nextName)
}
