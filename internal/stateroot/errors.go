package stateroot

import (
	"errors"
	"strings"
)

// What can be wrong with a state root. [Error] answers errors.Is for them.
var (
	ErrNotAbsolute    = errors.New("path is not absolute")
	ErrNotExist       = errors.New("directory does not exist")
	ErrSymlink        = errors.New("it is a symbolic link")
	ErrNotDirectory   = errors.New("it is not a directory")
	ErrNotWritable    = errors.New("it is not writable")
	ErrWorldWritable  = errors.New("it is writable for everybody and has no sticky bit")
	ErrFilesystem     = errors.New("its filesystem is ephemeral or not supported")
	ErrFolderWritable = errors.New("a directory of the gate's is writable for everybody")
	ErrFolderForeign  = errors.New("a directory of the gate's was made by another user, as anybody could")
	ErrPartOfRoot     = errors.New("it is a part of the root filesystem, which an update of the operating system removes")
	ErrCovered        = errors.New("something is mounted over a part of it")
	ErrUnusable       = errors.New("it cannot be used")
)

// Error says what is wrong with a state root and what to do about it.
type Error struct {
	Path   string
	Kind   error  // one of the sentinels above
	Detail string // what was found, may be ""
	Err    error  // the system's own error, may be nil
	Next   string // what to do about it
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("check state root")
	if e.Path != "" {
		b.WriteString(" " + e.Path)
	}
	b.WriteString(": " + e.Kind.Error())
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	b.WriteString(": " + e.Next)
	return b.String()
}

// Unwrap gives the kind and the system's error, for errors.Is.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}
