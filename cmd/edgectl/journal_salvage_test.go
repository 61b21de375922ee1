package main

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/salvage"
)

// A salvage that was not made says what to do about the cause.
func TestInsteadOfSalvage(t *testing.T) {
	for next, causes := range map[string][]error{
		"free blocks and inodes there":       {&fs.PathError{Op: "write", Path: "p", Err: syscall.ENOSPC}, &fs.PathError{Op: "mkdir", Path: "p", Err: syscall.EDQUOT}, &errs.Error{Kind: errs.ErrNoSpace}},
		"check the disk and try again":       {&fs.PathError{Op: "read", Path: "p", Err: syscall.EIO}},
		"put the right partition back":       {salvage.ErrForeign},
		"with the release that wrote it":     {&errs.Error{Kind: errs.ErrNewer}},
		"look again: edgectl journal verify": {errors.Join(errMeanwhile)},
	} {
		for _, err := range causes {
			if got := insteadOfSalvage(err); !strings.Contains(got, next) {
				t.Errorf("%v: %s", err, got)
			}
		}
	}
}
