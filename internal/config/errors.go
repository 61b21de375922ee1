package config

import (
	"errors"
	"fmt"
	"strings"
)

// Reasons for which a file is not checked key by key. errors.Is finds them in
// an Error.
var (
	// ErrNoPath: neither --config nor EDGE_CONFIG names a file.
	ErrNoPath = errors.New("no config file is named")
	// ErrNotFound: there is no such file.
	ErrNotFound = errors.New("file does not exist")
	// ErrNotAFile: a directory, FIFO, socket or device.
	ErrNotAFile = errors.New("not a regular file")
	// ErrTooLarge: the file has more bytes, lines or content than a config may.
	ErrTooLarge = errors.New("too large for a config")
	// ErrEmpty: nothing but blanks and comments.
	ErrEmpty = errors.New("file is empty")
	// ErrEncoding: not UTF-8 text.
	ErrEncoding = errors.New("not UTF-8 text")
	// ErrTOML: the document is written in TOML.
	ErrTOML = errors.New("document is TOML, not YAML")
	// ErrInvalid: the file was read and has problems.
	ErrInvalid = errors.New("config is not valid")
)

// Problem is one thing wrong with a file. Line and Col count from 1, Col in
// characters; both are 0 if the problem has no place. Key is the dotted key
// ("storage.local_root"), "" if the problem concerns no key.
type Problem struct {
	Line, Col int
	Key, Msg  string
}

// String is "line:col: key: message", without the parts that are unknown.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", p.Line, p.Col)
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Msg)
	return b.String()
}

// maxProblems is the largest number in a report: a file of another kind has
// thousands, and the first ones are enough.
const maxProblems = 100

// Error is the reason why a config cannot be used. Problems is in order of place; it is
// empty if the file could not be read as a document. Err is one of the
// sentinels of this package, or wraps one. No text of an Error holds a
// secret's value.
type Error struct {
	Path     string
	Problems []Problem
	Omitted  int // problems beyond the first maxProblems
	Err      error
}

// Error lists every problem on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("read config")
	if e.Path != "" {
		b.WriteString(" " + e.Path)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	for i, p := range e.Problems {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + p.String())
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&b, "; and %d more", e.Omitted)
	}
	return b.String()
}

// Lines returns the file with a problem each, and how many problems there are; of
// a file that was not checked key by key, one line.
func (e *Error) Lines() []string {
	if len(e.Problems) == 0 {
		return []string{fmt.Sprintf("%s: %v", e.Path, e.Err)}
	}
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, e.Path+": "+p.String())
	}
	return append(lines, e.Path+": "+e.Summary())
}

// Summary is the reason and the number of problems.
func (e *Error) Summary() string {
	n := len(e.Problems) + e.Omitted
	problems := fmt.Sprintf("%d problems", n)
	if n == 1 {
		problems = "1 problem"
	}
	if e.Omitted > 0 {
		problems += fmt.Sprintf(", of which the first %d are listed", len(e.Problems))
	}
	return fmt.Sprintf("%v: %s", e.Err, problems)
}

// Unreadable reports whether the file could not be read, so that nothing is known
// of what it says.
func (e *Error) Unreadable() bool {
	for _, judged := range []error{ErrInvalid, ErrTOML, ErrEmpty, ErrEncoding, ErrTooLarge} {
		if errors.Is(e.Err, judged) {
			return false
		}
	}
	return true
}

// Unwrap returns the reason, for errors.Is.
func (e *Error) Unwrap() error { return e.Err }
