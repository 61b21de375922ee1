package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// The kinds of failure. They are different errors because they call for
// different answers; errors.Is tells them apart.
var (
	// ErrCorrupt: bytes at rest are not the bytes that were written.
	ErrCorrupt = errors.New("corrupt")
	// ErrTorn: a write was cut short. A torn tail beyond the last
	// acknowledged record is ordinary after a power cut and is no error;
	// this kind is used where a tail may not be torn.
	ErrTorn = errors.New("torn")
	// ErrRolledBack: history that was acknowledged is no longer there.
	ErrRolledBack = errors.New("rolled back")
	// ErrRewritten: another record stands where an acknowledged one stood.
	ErrRewritten = errors.New("rewritten")
	// ErrNewer: written by a newer version; never a sign of damage.
	ErrNewer = errors.New("written by a newer version")
	// ErrNotFound: no such record, snapshot or journal.
	ErrNotFound = errors.New("not found")
	// ErrMissing: the journal is gone although something refers to it.
	ErrMissing = errors.New("journal is missing although other files refer to it")
	// ErrExists: a journal or head file stands where one is to be created.
	ErrExists = errors.New("already exists")
	// ErrForeign: it belongs to another journal.
	ErrForeign = errors.New("belongs to another journal")
	// ErrIO: the disk or the kernel reported an error.
	ErrIO = errors.New("input/output error")
	// ErrNoSpace: the disk is full.
	ErrNoSpace = errors.New("no space left")
	// ErrTooLarge: the record or snapshot is over the limit.
	ErrTooLarge = errors.New("too large")
	// ErrInvalid: the caller's entry or argument cannot become a record.
	ErrInvalid = errors.New("invalid")
	// ErrClosed: the journal was closed before.
	ErrClosed = errors.New("closed")
)

// Error says what failed, where, why, and what to do next. Kind is one of the
// sentinels above; Err is the cause, if there is one. errors.Is answers for
// both.
type Error struct {
	Kind   error
	Path   string // relative to the state root; "" where no file is meant
	Seq    uint64 // the record concerned, 0 where none is
	Detail string
	Next   string // what an operator does next
	Err    error
}

// Error renders the members that are set.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("journal: ")
	if e.Detail != "" {
		b.WriteString(e.Detail)
		b.WriteString(": ")
	}
	b.WriteString(e.Kind.Error())
	if e.Path != "" {
		b.WriteString(", at ")
		b.WriteString(e.Path)
	}
	if e.Seq != 0 {
		fmt.Fprintf(&b, ", record %d", e.Seq)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(oneLine(e.Err.Error()))
	}
	if e.Next != "" {
		b.WriteString("; ")
		b.WriteString(e.Next)
	}
	return b.String()
}

// oneLine makes a cause fit for a log: Pebble puts what it attaches to an error
// on lines of their own, and names what is for programs only.
func oneLine(text string) string {
	text = strings.ReplaceAll(text, "<corruption detail carrier>", "")
	if !strings.ContainsAny(text, "\n\r\t") {
		return text
	}
	return strings.Join(strings.Fields(text), " ")
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// What an operator can do about it.
const (
	nextSalvage  = "keep the partition as it is, then run edgectl journal verify --deep, and edgectl journal salvage to go on"
	nextUpgrade  = "run the version that wrote it, or a newer one"
	nextDisk     = "check the disk and the kernel log, then boot again"
	nextSpace    = "free space on the persistent partition, then boot again"
	nextRestore  = "put the newest state back, or run edgectl journal salvage"
	nextOwner    = "put this node's own journal back; if the node was renamed or cloned, see edgectl journal salvage"
	nextShrink   = "shorten the event's data"
	nextRemount  = "mount the partition writable, or open the journal for reading only"
	nextDevelop  = "this is a defect of the caller: report it"
	nextNotThere = "give the state root or journal directory that holds the journal"
)

// ioError classifies an error of the filesystem or of Pebble. what begins with
// a verb in the infinitive.
func ioError(what, path string, err error) error {
	var have *Error
	if errors.As(err, &have) {
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{Kind: ErrNoSpace, Path: path, Detail: what, Err: err, Next: nextSpace}
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return &Error{Kind: ErrIO, Path: path, Detail: what, Err: err, Next: nextRemount}
	case errors.Is(err, durable.ErrNotRegular), errors.Is(err, durable.ErrSymlink), errors.Is(err, syscall.ENOTDIR):
		// Something else stands there: what belonged there is lost.
		return &Error{Kind: ErrCorrupt, Path: path, Detail: what, Err: err, Next: nextSalvage}
	case isPebbleCorruption(err):
		return &Error{Kind: ErrCorrupt, Path: path, Detail: what, Err: err, Next: nextSalvage}
	}
	return &Error{Kind: ErrIO, Path: path, Detail: what, Err: err, Next: nextDisk}
}

func corrupt(path string, seq uint64, err error, format string, args ...any) error {
	return &Error{Kind: ErrCorrupt, Path: path, Seq: seq, Detail: fmt.Sprintf(format, args...), Err: err, Next: nextSalvage}
}
