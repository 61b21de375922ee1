package journal

import (
	"errors"
	"io/fs"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// SyncHead makes the newest acknowledged record durable, and returns it: seq 0 if
// there is no head file. A gate that was killed may have left its last writes in
// the page cache only. A power cut can still undo them, and would then make an
// honest node contradict a reader of the record.
//
// It syncs the tail first and then the head file, in the order of a writer. It holds the
// shared lock, so that no gate writes meanwhile; a gate that starts waits for the
// two syncs. The error is ErrBusy if a gate holds the lock for too long, or the
// disk's.
func SyncHead(fsys durable.FS, l Layout) (record.Tip, error) {
	unlock, err := waitShared(fsys, l)
	if err != nil {
		return record.Tip{}, err
	}
	defer unlock()
	for _, name := range []string{tailPath(l), l.Head} {
		switch err := syncFile(fsys, name); {
		case errors.Is(err, fs.ErrNotExist):
			return record.Tip{}, nil
		case err != nil:
			return record.Tip{}, errs.Of("make the newest record durable", name, err)
		}
	}
	head, err := ReadHead(fsys, l)
	newest, _ := head.Newest()
	return newest.Tip, err
}

// waitShared takes the shared lock. The error is ErrBusy after liveTimeout.
func waitShared(fsys durable.FS, l Layout) (unlock func(), err error) {
	for until := time.Now().Add(liveTimeout); ; time.Sleep(livePause) {
		unlock, err := lockShared(fsys)
		if err == nil {
			return unlock, nil
		}
		if time.Now().After(until) {
			return nil, busy(l, err)
		}
	}
}

func syncFile(fsys durable.FS, name string) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
