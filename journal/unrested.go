package journal

import (
	"errors"
	"io/fs"
	"path"
	"slices"
)

// appendingName is an empty file in the journal's directory while records may
// be in a log and nowhere else. It is made before the log, and made durable
// with it by the same sync; at rest, when every record is in a table, it is
// removed before the log is.
//
// The head file tells when a log is gone. With the head file gone as well,
// this name is what still tells.
const appendingName = "appending"

func (s *store) markAppending(dir string) error {
	name := path.Join(dir, appendingName)
	if _, err := s.fs.Lstat(name); err == nil {
		return nil // a crash has left it; the sync of the log's name is also its own
	}
	f, err := s.create(name)
	if f == nil || err != nil {
		return err
	}
	return f.Close()
}

func (s *store) unmarkAppending(dir string) error {
	if err := s.fs.Remove(path.Join(dir, appendingName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unrested refuses a journal that no head file vouches for, and that was being
// appended to in a log that is gone.
func (v *View) unrested() error {
	names, err := v.s.List(v.l.Dir)
	if err != nil {
		return ioError("list the journal", v.l.Dir, err)
	}
	if !slices.Contains(names, appendingName) || slices.ContainsFunc(names, isLog) {
		return nil
	}
	return &Error{Kind: ErrRolledBack, Path: v.l.Dir, Seq: v.tip.Seq, Next: nextRestore,
		Detail: "judge the journal without a head file: it did not come to rest and its log is gone, so records after this one may be"}
}
