package journal

import (
	"errors"
	"io/fs"

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
func Inspect(fsys durable.FS, l Layout) (p Presence, err error) {
	info, there, err := lookFor(fsys, l.Dir)
	if err != nil {
		return p, err
	}
	if there && !info.IsDir() {
		return p, errs.Corrupt(l.Dir, 0, nil, "a file stands where the journal directory belongs")
	}
	p.Journal = there
	if _, there, err = lookFor(fsys, l.newDir()); there {
		p.Unfinished = l.newDir()
	}
	if err == nil && l.Head != "" {
		_, p.Head, err = lookFor(fsys, l.Head)
	}
	return p, err
}

func lookFor(fsys durable.FS, name string) (durable.Info, bool, error) {
	info, err := fsys.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return info, false, nil
	case err != nil:
		return info, false, errs.Of("look for the journal", name, err)
	}
	return info, true, nil
}
