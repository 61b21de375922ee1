// Package errs defines the error type of this project.
package errs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// The kinds of failure that more than one package returns. Each calls for a different
// answer; errors.Is distinguishes them.
var (
	// ErrCorrupt: stored bytes are not the bytes that were written.
	ErrCorrupt = errors.New("corrupt")
	// ErrNewer: written by a newer version; never a sign of damage.
	ErrNewer = errors.New("written by a newer version")
	// ErrNotFound: the wanted thing does not exist.
	ErrNotFound = errors.New("not found")
	// ErrIO: the disk or the kernel reported an error.
	ErrIO = errors.New("input/output error")
	// ErrNoSpace: the disk is full.
	ErrNoSpace = errors.New("no space left")
	// ErrTooLarge: a limit is exceeded.
	ErrTooLarge = errors.New("too large")
	// ErrInvalid: the caller's argument is not acceptable.
	ErrInvalid = errors.New("invalid")
)

// Error reports what failed, on which path, why, and what to do next. Kind is a
// sentinel of this package or of the one that returns the error; Err is the cause, if
// there is one. errors.Is is true for both.
type Error struct {
	Kind error
	// Check is the check that Path did not pass, as in "check state root". It
	// is "" if an action failed.
	Check  string
	Path   string // "" if no file is concerned; the journal's are relative to the state root
	Seq    uint64 // the record concerned, 0 if there is none
	Detail string // what a check found, or else the action that failed
	Next   string // the instruction for the operator
	// Command carries it out, run by root, by its words; nil if no single command does.
	Command []string
	Err     error
}

// Error returns one line with the members that are set.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Check != "" {
		b.WriteString(e.checked())
	} else {
		b.WriteString(e.action())
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

// checked returns the check, its path, the kind, and what was found.
func (e *Error) checked() string {
	text := e.Check
	if e.Path != "" {
		text += " " + e.Path
	}
	text += ": " + e.Kind.Error()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// action returns the action that failed, the kind, and the path.
func (e *Error) action() string {
	text := e.Kind.Error()
	if e.Detail != "" {
		text = e.Detail + ": " + text
	}
	if e.Path != "" {
		text += ", at " + e.Path
	}
	return text
}

// oneLine makes a cause fit for a log: Pebble's errors have details on lines of their
// own, and names that are only for programs.
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

// Instructions for the operator.
const (
	NextSalvage = "keep the partition as it is, then run edgectl journal verify --deep, and edgectl journal salvage to go on"
	NextUpgrade = "run the version that wrote it, or a newer one"
	NextDisk    = "check the disk and the kernel log, then boot again"
	NextSpace   = "free space on the persistent partition, then boot again"
	NextDevelop = "this is a defect of the caller: report it"
	nextRemount = "mount the partition writable, or open the journal for reading only"
)

// Of classifies an error of the filesystem. what begins with a verb in the
// infinitive. An Error is returned as it is.
func Of(what, path string, err error) error {
	var have *Error
	if errors.As(err, &have) {
		return err
	}
	e := &Error{Kind: ErrIO, Path: path, Detail: what, Err: err, Next: NextDisk}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Kind, e.Next = ErrNoSpace, NextSpace
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		e.Next = nextRemount
	case errors.Is(err, durable.ErrNotRegular), errors.Is(err, durable.ErrSymlink), errors.Is(err, syscall.ENOTDIR):
		// Something else is at this name: the file is lost.
		e.Kind, e.Next = ErrCorrupt, NextSalvage
	}
	return e
}

// Corrupt returns an ErrCorrupt. seq is 0 if it concerns no record.
func Corrupt(path string, seq uint64, err error, format string, args ...any) error {
	return &Error{Kind: ErrCorrupt, Path: path, Seq: seq, Detail: fmt.Sprintf(format, args...), Err: err, Next: NextSalvage}
}

// Invalid returns an ErrInvalid: a defect of the caller.
func Invalid(seq uint64, err error, format string, args ...any) error {
	return &Error{Kind: ErrInvalid, Seq: seq, Detail: fmt.Sprintf(format, args...), Err: err, Next: NextDevelop}
}

// At adds a path and a record to an Error that names neither.
func At(err error, path string, seq uint64) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	at := *e
	if at.Seq == 0 {
		at.Seq = seq
	}
	if at.Path == "" {
		at.Path = path
	}
	return &at
}

// Advised is an error whose text does not include the next step: a command prints Next
// on a line of its own.
type Advised struct {
	Err  error
	Next string
}

// Advise returns an [*Advised].
func Advise(next, format string, args ...any) error {
	return &Advised{Err: fmt.Errorf(format, args...), Next: next}
}

func (e *Advised) Error() string { return e.Err.Error() }

// Unwrap returns the error without its advice.
func (e *Advised) Unwrap() error { return e.Err }
