package journal

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
)

// Layout names the places of a journal beneath an FS's root.
type Layout struct {
	Dir  string // the Pebble directory
	Head string // the head file; "" where there is none (a bare journal directory)
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
	Journal bool     // the journal directory
	Head    bool     // the head file
	Partial []string // journal.new*: remains of a creation that did not finish
}

// Inspect looks which parts of the journal exist. It opens nothing.
func Inspect(fsys durable.FS, l Layout) (Presence, error) {
	var p Presence
	parent, base := path.Dir(l.Dir), path.Base(l.Dir)
	names, err := durable.Names(fsys, parent)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, ioError("list the state root", parent, err)
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
				return p, ioError("look for the journal", l.Dir, err)
			}
			if !info.IsDir() {
				return p, &Error{Kind: ErrCorrupt, Path: l.Dir, Detail: "a file stands where the journal directory belongs", Next: nextSalvage}
			}
			p.Journal = true
		case strings.HasPrefix(n, base+".new"):
			p.Partial = append(p.Partial, path.Join(parent, n))
		}
	}
	if l.Head == "" {
		return p, nil
	}
	switch _, err := fsys.Lstat(l.Head); {
	case err == nil:
		p.Head = true
	case !errors.Is(err, fs.ErrNotExist):
		return p, ioError("look for the head file", l.Head, err)
	}
	return p, nil
}

// discard removes the remains of creations that did not finish.
func discard(fsys durable.FS, p Presence) error {
	for _, name := range p.Partial {
		if err := removeTree(fsys, name); err != nil {
			return ioError("discard an unfinished journal", name, err)
		}
	}
	return nil
}

// removeTree removes a file or a directory with all it holds, following no
// link. What is missing is removed already.
func removeTree(fsys durable.FS, name string) error {
	info, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		list, err := fsys.ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range list {
			if err := removeTree(fsys, path.Join(name, e.Name)); err != nil {
				return err
			}
		}
	}
	return fsys.Remove(name)
}
