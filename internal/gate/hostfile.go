package gate

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/autonomyops/edged/internal/durable"
)

// inFolder calls act with the folder of a file outside the state root and the
// file's name in it. Links in the folder's path, including the last one,
// are followed: /var/run is one on most systems.
func inFolder(path string, act func(dir *durable.Root, name string) error) error {
	return inFolderOf(durable.OpenRoot, path, act)
}

func inFolderOf(open func(dir string) (*durable.Root, error), path string, act func(dir *durable.Root, name string) error) error {
	path = filepath.Clean(path)
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return err
	}
	dir, err := open(folder)
	if err != nil {
		return err
	}
	return errors.Join(act(dir, filepath.Base(path)), dir.Close())
}

// replaceHostFile replaces a file outside the state root, never half written.
// The temporary name is this run's own: it is not longer than a file name may be,
// and no existing file has that name.
func (r *run) replaceHostFile(path string, data []byte) error {
	return inFolder(path, func(dir *durable.Root, name string) error {
		temp := "." + r.id
		err := durable.WriteFile(dir, temp, data, 0o644)
		if err == nil {
			err = dir.Rename(temp, name)
		}
		if err != nil {
			_ = dir.Remove(temp) // the first error matters
		}
		return err
	})
}

// sameHostFile reports whether two absolute paths name one file, links in the
// paths of their folders followed. The files need not exist.
func sameHostFile(a, b string) bool {
	a, b = filepath.Clean(a), filepath.Clean(b)
	if a == b {
		return true
	}
	if filepath.Base(a) != filepath.Base(b) {
		return false
	}
	one, errA := os.Stat(filepath.Dir(a))
	other, errB := os.Stat(filepath.Dir(b))
	return errA == nil && errB == nil && os.SameFile(one, other)
}
