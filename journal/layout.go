package journal

import (
	"errors"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// Layout names the places of a journal beneath an FS's root.
type Layout struct {
	Dir  string // the journal directory
	Head string // the head file; "" if there is none (a bare journal directory)
	// TailLength is the length in bytes of a tail that is created, 0 for 4 MiB.
	// Tests use smaller ones; of a tail that exists the header says it.
	TailLength int64
}

func (l Layout) tailLength() int64 {
	if l.TailLength != 0 {
		return max(l.TailLength, minTail)
	}
	return tailLength
}

// DefaultLayout is a state root's.
func DefaultLayout() Layout { return Layout{Dir: "journal", Head: "bootstrap/journal_head"} }

// newDir is where a journal is built before it gets its name.
func (l Layout) newDir() string { return l.Dir + ".new" }

// headTmp is where a head file is written before it gets its name.
func (l Layout) headTmp() string { return l.Head + ".tmp" }

// Modes of what this package creates. Records hold no secrets, but they tell
// a node's history: the owner writes, the group reads.
const (
	dirMode  fs.FileMode = 0o750
	fileMode fs.FileMode = 0o640
)

// Presence says which parts of a journal exist.
type Presence struct {
	Journal bool // the journal directory
	Head    bool // the head file
	// Unfinished is journal.new, which a creation left that did not finish; ""
	// if there is none.
	Unfinished string
}

// Inspect looks which parts of the journal exist. It opens nothing.
func Inspect(fsys durable.FS, l Layout) (Presence, error) {
	var p Presence
	parent, base := path.Dir(l.Dir), path.Base(l.Dir)
	names, err := durable.Names(fsys, parent)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, errs.Of("list the state root", parent, err)
	}
	if l.Dir == "." {
		p.Journal = err == nil
	}
	for _, n := range names {
		switch {
		case n == base:
			info, err := fsys.Lstat(l.Dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue // renamed away since it was listed
			}
			if err != nil {
				return p, errs.Of("look for the journal", l.Dir, err)
			}
			if !info.IsDir() {
				return p, &errs.Error{Kind: errs.ErrCorrupt, Path: l.Dir, Detail: "a file stands where the journal directory belongs", Next: errs.NextSalvage}
			}
			p.Journal = true
		case n == path.Base(l.newDir()):
			p.Unfinished = l.newDir()
		}
	}
	if l.Head == "" {
		return p, nil
	}
	switch _, err := fsys.Lstat(l.Head); {
	case err == nil:
		p.Head = true
	case !errors.Is(err, fs.ErrNotExist):
		return p, errs.Of("look for the head file", l.Head, err)
	}
	return p, nil
}

// discard removes what a creation left that did not finish.
func discard(fsys durable.FS, p Presence) error {
	if p.Unfinished == "" {
		return nil
	}
	if err := durable.RemoveAll(fsys, p.Unfinished); err != nil {
		return errs.Of("discard an unfinished journal", p.Unfinished, err)
	}
	return nil
}
