package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"unicode/utf8"

	"github.com/autonomyops/edged/internal/durable"
)

// Limits of a config. The byte limit is a promise to the operator; the others
// keep a hostile file from costing the boot more than some tens of
// milliseconds and megabytes (the scanner makes a token of nearly every byte).
const (
	MaxBytes        = 1 << 20
	maxLines        = 20_000
	maxContentBytes = 128 << 10 // outside blank and comment lines
)

// Load reads and checks the file at path. It never blocks on a path that is not a
// regular file, and reads at most MaxBytes. The error is an *Error.
func Load(path string) (*Config, error) {
	if path == "" {
		return nil, &Error{Err: fmt.Errorf("%w: give --config PATH or set EDGE_CONFIG", ErrNoPath)}
	}
	data, err := durable.ReadHostFile(path, MaxBytes)
	if err != nil {
		return nil, &Error{Path: path, Err: unreadable(err)}
	}
	return Parse(path, data)
}

// unreadable adds the instruction to the error of a file that could not be read.
func unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: check --config and EDGE_CONFIG, and that the file's filesystem is mounted", ErrNotFound)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%w: it is a directory; name the file in it", ErrNotAFile)
	case errors.Is(err, durable.ErrNotRegular):
		return fmt.Errorf("%w (a directory, FIFO, socket or device): put the config file in its place", ErrNotAFile)
	case errors.Is(err, durable.ErrTooLarge):
		return fmt.Errorf("%w: more than %d bytes; check that the path names a config", ErrTooLarge, MaxBytes)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: make it readable for the user that runs the gate", err)
	default:
		return fmt.Errorf("%w: check the disk that holds it", err)
	}
}

// Parse checks data as the file at path; path is only named in errors. It
// reports all problems in one *Error.
func Parse(path string, data []byte) (*Config, error) {
	// A byte order mark is legal at the start of a stream; the scanner would
	// make it part of the first key.
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if err := checkBytes(data); err != nil {
		return nil, &Error{Path: path, Err: err}
	}

	var r report
	cfg := Defaults()
	if doc := parseDocument(data, &r); doc != nil {
		(&walker{report: &r}).document(doc, sections(cfg))
	}
	if len(r.problems) == 0 {
		return cfg, nil
	}
	if looksLikeTOML(data) {
		return nil, &Error{Path: path, Err: fmt.Errorf("%w: write `key: value` instead of `key = value`, "+
			"and `section:` with indented keys instead of [section]; the file's name does not matter", ErrTOML)}
	}
	kept, omitted := r.sorted()
	return nil, &Error{Path: path, Problems: kept, Omitted: omitted, Err: ErrInvalid}
}

// checkBytes makes the checks that need no parser.
func checkBytes(data []byte) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("%w: more than %d bytes; check that the path names a config", ErrTooLarge, MaxBytes)
	}
	line, content, blank := 0, 0, true
	for rest := data; len(rest) > 0; {
		line++
		text := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			text, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		if err := checkLine(text, line); err != nil {
			return err
		}
		if t := bytes.TrimSpace(text); len(t) > 0 && t[0] != '#' {
			content += len(text)
			blank = false
		}
	}
	switch {
	case blank:
		return fmt.Errorf("%w: nothing but blanks and comments; deploy the node's config again", ErrEmpty)
	case line > maxLines:
		return fmt.Errorf("%w: %d lines, at most %d are read; check that the path names a config", ErrTooLarge, line, maxLines)
	case content > maxContentBytes:
		return fmt.Errorf("%w: %d bytes outside comments, at most %d are read; check that the path names a config",
			ErrTooLarge, content, maxContentBytes)
	}
	return nil
}

// checkLine finds bytes that no text file has: a torn write shows
// as zero bytes, another encoding as invalid UTF-8.
func checkLine(text []byte, line int) error {
	col := 0
	for i := 0; i < len(text); {
		col++
		c := text[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && n == 1 {
				return fmt.Errorf("%w: invalid byte 0x%02x at line %d, column %d; save the file as UTF-8", ErrEncoding, c, line, col)
			}
			i += n
			continue
		}
		if (c < ' ' && c != '\t' && c != '\r') || c == 0x7f {
			return fmt.Errorf("%w: control character 0x%02x at line %d, column %d; the file is binary or damaged: deploy it again",
				ErrEncoding, c, line, col)
		}
		i++
	}
	return nil
}
