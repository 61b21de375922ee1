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

// The modes of extracted files and directories are those of a node's own.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

var (
	// ErrInside: the directory would be inside the evidence.
	ErrInside = errors.New("it is inside the evidence, which is only read")
	// ErrTaken: the path exists and is not an empty directory.
	ErrTaken = errors.New("it is neither new nor an empty directory")
	// ErrName: a file's path leaves the directory.
	ErrName = errors.New("not a path beneath the directory")
)

// Extract writes files to the directory at path, which must not exist or be
// empty. It writes them to a hidden directory beside path, flushes it, and
// renames it to path: a directory of this name is always complete. After an
// error nothing is left. A crash may leave .NAME.*.partial beside path. keepOut
// is the path of the evidence, "" for none.
//
// The error is ErrInside, ErrTaken, ErrName, one of files, or the system's.
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
		return fmt.Errorf("write beside %s: %w; check that its directory exists and that you may write there", path, err)
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

// write creates a file and does not flush it: one flush before the rename costs
// less than one for each of thousands of files.
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

// place flushes tmp and renames it to path. The rename replaces only an empty
// directory.
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

// check returns an error if path may not be written to.
func check(path, keepOut string) error {
	entries, err := os.ReadDir(path)
	switch {
	case err == nil && len(entries) > 0, errors.Is(err, unix.ENOTDIR):
		return ErrTaken
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		return ErrTaken // a rename would replace a link, not its target
	}
	inside, err := Within(path, keepOut)
	if inside {
		return ErrInside
	}
	return err
}
