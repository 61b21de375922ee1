package history

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/replay"
)

// Modes of what is written: those that a node's own files have.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

var (
	// ErrInside: the directory would lie in the evidence.
	ErrInside = errors.New("it lies inside the evidence, which is only read")
	// ErrTaken: something is there already.
	ErrTaken = errors.New("it is not a new or an empty directory")
	// ErrName: a file's path does not stay in the directory.
	ErrName = errors.New("not a path beneath the directory")
)

// Extract makes the directory at path hold exactly files. It must not exist, or be
// empty. They are written into a hidden directory beside it, flushed, and that
// is renamed: a directory of this name is complete, whatever happens. After an
// error, or an interruption that files reports, nothing is left but what a
// crash may leave: a .NAME.*.partial beside. keepOut is the evidence, "" for
// none.
//
// Errors are ErrInside, ErrTaken, ErrName, those of files, or the system's.
func Extract(path, keepOut string, files iter.Seq2[replay.File, error]) error {
	if err := check(path, keepOut); err != nil {
		return fmt.Errorf("write to %s: %w; name a new directory elsewhere", path, err)
	}
	parent, name := filepath.Split(filepath.Clean(path))
	if parent == "" {
		parent = "."
	}
	tmp, err := os.MkdirTemp(parent, "."+name+".*.partial")
	if err != nil {
		return fmt.Errorf("write beside %s: %w; does the folder around it exist, and may you write there?", path, err)
	}
	if err := fill(tmp, files); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	if err := place(tmp, path, parent); err != nil {
		return errors.Join(fmt.Errorf("write to %s: %w", path, err), os.RemoveAll(tmp))
	}
	return nil
}

func fill(dir string, files iter.Seq2[replay.File, error]) error {
	for f, err := range files {
		if err != nil {
			return err
		}
		if !filepath.IsLocal(f.Path) {
			return fmt.Errorf("write %q: %w", f.Path, ErrName)
		}
		if err := write(filepath.Join(dir, f.Path), f.Data); err != nil {
			return err
		}
	}
	return filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(at, dirMode)
		}
		return err
	})
}

// write does not flush: one flush of everything, before the rename, costs less
// than one for each of thousands of files.
func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Chmod(fileMode), f.Close())
}

// place flushes tmp and gives it its name. The rename replaces an empty
// directory, and nothing else.
func place(tmp, path, parent string) error {
	if err := flush(tmp, unix.Syncfs); err != nil {
		return err
	}
	if err := unix.Rename(tmp, filepath.Clean(path)); err != nil {
		return &os.LinkError{Op: "rename", Old: tmp, New: path, Err: err}
	}
	return flush(parent, unix.Fsync)
}

func flush(dir string, sync func(int) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(os.NewSyscallError("sync", sync(int(d.Fd()))), d.Close())
}

// check says whether path may be written to.
func check(path, keepOut string) error {
	entries, err := os.ReadDir(path)
	switch {
	case err == nil && len(entries) > 0, errors.Is(err, unix.ENOTDIR):
		return ErrTaken
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		return ErrTaken // a link; renaming would replace it, not what it names
	}
	inside, err := Within(path, keepOut)
	if inside {
		return ErrInside
	}
	return err
}
