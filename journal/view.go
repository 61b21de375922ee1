package journal

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/durable"
)

// View is a journal open for reading. Opening and reading it changes nothing,
// and waits for nobody. Its methods may be called from several goroutines.
type View struct {
	reader
	fs     durable.FS
	head   HeadReport
	found  Presence
	closed bool
}

// OpenView opens the journal for reading. Before Pebble sees it, its markers
// and manifest must be there and every log is audited, so that damage is an
// error and never a shorter history:
//
//	ErrNotFound   there is no journal, and no head file that knows of one
//	ErrMissing    there is none, but a head file
//	ErrCorrupt    damaged
//	ErrNewer      written by a newer version
//
// It is for the holder of the gate's lock; others use OpenLiveView. The head
// file is read, and judged by CheckHead.
func OpenView(fsys durable.FS, l Layout) (*View, error) { return openView(fsys, l, false) }

// liveTries bounds how often a reader begins again because the gate replaced
// files under it: each try loses only to a whole flush or compaction.
const liveTries = 100

// OpenLiveView is OpenView for a reader that does not hold the gate's lock:
// what a running gate removes meanwhile stays readable.
//
// Pebble lists the directory more than once while it opens. Between two of
// them a gate may move records from a log that is gone when Pebble looks for
// it to a manifest that is newer than the one that it read; the reader would
// see a shorter history, and no error. So a view counts only if the manifest's
// marker and the logs were the same before and after.
func OpenLiveView(fsys durable.FS, l Layout) (*View, error) {
	for try := 1; ; try++ {
		before := liveNames(fsys, l.Dir)
		v, err := openView(fsys, l, true)
		if err == nil && !slices.Equal(before, liveNames(fsys, l.Dir)) {
			err = errors.Join(&Error{Kind: ErrIO, Path: l.Dir, Detail: "open the journal for reading: it keeps changing", Next: "try again"}, v.Close())
		} else if err == nil || !(errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt)) {
			return v, err
		}
		if try == liveTries || try > 3 && slices.Equal(before, liveNames(fsys, l.Dir)) {
			return nil, err
		}
	}
}

// liveNames lists what a flush changes.
func liveNames(fsys durable.FS, dir string) []string {
	all, err := durable.Names(fsys, dir)
	if err != nil {
		return nil // openView reports it
	}
	var names []string
	for _, n := range all {
		if isLog(n) || isCurrent(n) {
			names = append(names, n)
		}
	}
	return names
}

func openView(fsys durable.FS, l Layout, live bool) (*View, error) {
	found, err := Inspect(fsys, l)
	if err != nil {
		return nil, err
	}
	if !found.Journal {
		if found.Head {
			return nil, &Error{Kind: ErrMissing, Path: l.Dir, Detail: "open the journal, which " + l.Head + " refers to", Next: nextRestore}
		}
		return nil, &Error{Kind: ErrNotFound, Path: l.Dir, Detail: "open the journal", Next: nextNotThere}
	}
	// The head file comes first: on a live node it may then be behind what is
	// read of the journal, but never ahead.
	head, err := readHead(fsys, l.Head)
	if err != nil {
		return nil, err
	}
	v := &View{reader: reader{l: l, s: newStore(fsys, true)}, fs: fsys, head: head, found: found}
	if live {
		if err := v.s.pinTables(l.Dir); err != nil {
			return nil, ioError("list the journal", l.Dir, err)
		}
	}
	err = v.s.audit(l.Dir)
	if err == nil {
		err = v.open()
	}
	if err == nil && live {
		err = v.pinVersion()
	}
	if err == nil {
		err = v.load()
	}
	if err != nil {
		_ = v.Close()
		return nil, err
	}
	return v, nil
}

// open opens Pebble on the store.
func (r *reader) open() error {
	return r.s.fault.run("open the journal", r.l.Dir, func() error {
		o := options(r.s)
		o.ErrorIfNotExists = true
		db, err := pebble.Open(r.l.Dir, o)
		if err != nil {
			return pebbleOpenError(r.l.Dir, err)
		}
		r.db = db
		return nil
	})
}

// pebbleOpenError gives a kind to what Pebble says when it cannot open.
// Errors of the disk keep theirs; what else it may object to is the content.
func pebbleOpenError(dir string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) && !errors.Is(err, fs.ErrNotExist) {
		return ioError("open the journal", dir, err)
	}
	return corrupt(dir, 0, err, "open the journal")
}

// Head is the head file as it was when the view was opened.
func (v *View) Head() HeadReport { return v.head }

// Found says what else of the journal exists beside it.
func (v *View) Found() Presence { return v.found }

// Close releases the view. Iterations must have ended.
func (v *View) Close() error {
	if v.closed {
		return nil
	}
	v.closed = true
	err := v.closeDB()
	v.s.unpin()
	return err
}

func (r *reader) closeDB() error {
	if r.db == nil {
		return nil
	}
	db := r.db
	r.db = nil
	return r.s.fault.run("close the journal", r.l.Dir, db.Close)
}
