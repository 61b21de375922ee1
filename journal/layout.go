package journal

import (
	"errors"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// Layout names the paths of a journal below the root of an FS.
type Layout struct {
	Dir  string // the journal directory
	Head string // the head file; "" if there is none (a bare journal directory)
	// TailLength is the length in bytes of a tail that is created, 0 for 4
	// MiB. Tests use smaller tails. An existing tail's header holds its length.
	TailLength int64
}

func (l Layout) tailLength() int64 {
	if l.TailLength != 0 {
		return max(l.TailLength, minTail)
	}
	return tailLength
}

// DefaultLayout is the layout of a state root.
func DefaultLayout() Layout { return Layout{Dir: "journal", Head: "bootstrap/journal_head"} }

// newDir is the directory in which a journal is built before it is renamed to Dir.
func (l Layout) newDir() string { return l.Dir + ".new" }

// headTmp is the file in which a head file is written before it is renamed to Head.
func (l Layout) headTmp() string { return l.Head + ".tmp" }

// Modes of the files that this package creates. Records hold no secrets, but
// they are a node's history: the owner writes, the group reads.
const (
	dirMode  fs.FileMode = 0o750
	fileMode fs.FileMode = 0o640
)

// Presence reports which files of a journal exist.
type Presence struct {
	Journal bool // the journal directory
	Head    bool // the head file
	// Unfinished is journal.new, left by a creation that did not finish; "" if
	// there is none.
	Unfinished string
}

// Inspect reports which files of the journal exist. It opens nothing.
func Inspect(fsys durable.FS, l Layout) (p Presence, err error) {
	info, there, err := lookFor(fsys, l.Dir)
	if err != nil {
		return p, err
	}
	if there && !info.IsDir() {
		return p, errs.Corrupt(l.Dir, 0, nil, "a file is in the place of the journal directory")
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
