package salvage

import (
	"errors"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// within is a directory of an FS, as an FS.
type within struct {
	fsys durable.FS
	dir  string
}

func (w within) at(name string) string { return path.Join(w.dir, name) }

func (w within) Open(name string) (durable.File, error)      { return w.fsys.Open(w.at(name)) }
func (w within) OpenWrite(name string) (durable.File, error) { return w.fsys.OpenWrite(w.at(name)) }
func (w within) Create(name string, perm fs.FileMode) (durable.File, error) {
	return w.fsys.Create(w.at(name), perm)
}
func (w within) Mkdir(name string, perm fs.FileMode) error { return w.fsys.Mkdir(w.at(name), perm) }
func (w within) Rename(old, to string) error               { return w.fsys.Rename(w.at(old), w.at(to)) }
func (w within) Remove(name string) error                  { return w.fsys.Remove(w.at(name)) }
func (w within) Lstat(name string) (durable.Info, error)   { return w.fsys.Lstat(w.at(name)) }
func (w within) ReadDir(name string) ([]durable.Info, error) {
	return w.fsys.ReadDir(w.at(name))
}
func (w within) SyncDir(name string) error { return w.fsys.SyncDir(w.at(name)) }

// placed returns an error with its path relative to the root: the journal that is made in
// w reports paths relative to w.
func (w within) placed(err error) error {
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Path == "" {
		return err
	}
	at := *e
	at.Path = w.at(e.Path)
	return &at
}
