package projections

import (
	"errors"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/machine"
)

const (
	bootstrapDir = "bootstrap"
	epochDir     = "epoch"
	currentDir   = epochDir + "/current"
	previousDir  = epochDir + "/previous"
	evidenceName = "evidence.json"
)

// rotation publishes the two evidence directories.
//
// After a new epoch the new evidence is flushed in a temporary directory, the old
// previous/ is removed, current/ is renamed to previous/, the temporary directory to
// current/, and epoch/ is flushed. A power cut leaves only some of these steps done.
// The next publication then finds the old current still in place (it does all steps
// again), current missing or wrong (it places the new one), or previous missing (it
// renders it from the journal). It distinguishes these cases by the bytes alone.
type rotation struct {
	fs  durable.FS
	tmp string // the temporary directory
}

func (r rotation) publish(s machine.State, found Files) error {
	current, err := Evidence(*s.Current)
	if err != nil {
		return err
	}
	if s.Previous == nil {
		return r.first(current, found)
	}
	previous, err := Evidence(*s.Previous)
	if err != nil {
		return err
	}
	hasCurrent, hasPrevious := holds(found.Current, current), holds(found.Previous, previous)
	switch {
	case hasCurrent && hasPrevious:
		return nil
	case !hasCurrent && !hasPrevious && holds(found.Current, previous):
		return r.rotate(current)
	}
	if !hasPrevious {
		if err := r.place(previousDir, previous); err != nil {
			return err
		}
	}
	if !hasCurrent {
		return r.place(currentDir, current)
	}
	return nil
}

// first publishes the evidence of this journal's first epoch. A current/ or
// previous/ of older software or of an ancestor is removed with its content:
// previous/ is absent until this journal has completed two epochs.
func (r rotation) first(current []byte, found Files) error {
	if holds(found.Current, current) {
		if !found.Previous.dirTaken {
			return nil
		}
		if err := durable.RemoveAll(r.fs, previousDir); err != nil {
			return err
		}
		return r.fs.SyncDir(epochDir)
	}
	if err := r.stage(current); err != nil {
		return err
	}
	for _, dir := range []string{previousDir, currentDir} {
		if err := durable.RemoveAll(r.fs, dir); err != nil {
			return err
		}
	}
	return r.install(currentDir)
}

// rotate publishes a new epoch: current/ becomes previous/.
func (r rotation) rotate(current []byte) error {
	if err := r.stage(current); err != nil {
		return err
	}
	if err := durable.RemoveAll(r.fs, previousDir); err != nil {
		return err
	}
	if err := r.fs.Rename(currentDir, previousDir); err != nil {
		return err
	}
	return r.install(currentDir)
}

// place writes data as the evidence in dir and leaves other files in dir alone.
func (r rotation) place(dir string, data []byte) error {
	if err := r.stage(data); err != nil {
		return err
	}
	info, err := r.fs.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r.install(dir)
	case err != nil:
		return err
	case !info.IsDir():
		if err := r.fs.Remove(dir); err != nil {
			return err
		}
		return r.install(dir)
	}
	return r.replace(dir + "/" + evidenceName)
}

// replace renames the staged file over the one at name.
func (r rotation) replace(name string) error {
	info, err := r.fs.Lstat(name)
	if err == nil && info.IsDir() { // a directory would refuse the rename
		err = durable.RemoveAll(r.fs, name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.fs.Rename(r.tmp+"/"+evidenceName, name); err != nil {
		return err
	}
	if err := r.fs.SyncDir(path.Dir(name)); err != nil {
		return err
	}
	if err := r.fs.Remove(r.tmp); err != nil {
		return err
	}
	return r.fs.SyncDir(epochDir)
}

// install renames the staged directory to dir, which is absent, and flushes.
func (r rotation) install(dir string) error {
	if err := r.fs.Rename(r.tmp, dir); err != nil {
		return err
	}
	return r.fs.SyncDir(epochDir)
}

// stage makes the temporary directory with data in it, flushed.
func (r rotation) stage(data []byte) error {
	if err := durable.MkdirAll(r.fs, epochDir, dirMode); err != nil {
		return err
	}
	if err := r.fs.Mkdir(r.tmp, dirMode); err != nil {
		return err
	}
	f, err := r.fs.Create(r.tmp+"/"+evidenceName, fileMode)
	if err != nil {
		return err
	}
	if err := durable.Fill(f, data); err != nil {
		return err
	}
	return r.fs.SyncDir(r.tmp)
}
