package export

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/autonomyops/edged/internal/history"
)

// ErrInside: the file would be written into the evidence.
var ErrInside = errors.New("it lies inside what is being exported, which is only read")

// File has write fill the file at path: beside it first, then flushed and
// renamed, so that path never shows a part of an export. What is no regular
// file (a terminal, /dev/null, a FIFO) is written to directly. keepOut, if not
// "", is a directory that path may not lie in, or a file that it may not be.
func File(path, keepOut string, write func(io.Writer) error) error {
	if err := Outside(path, keepOut); err != nil {
		return fmt.Errorf("write %s: %w; name a file elsewhere", path, err)
	}
	if at, err := filepath.EvalSymlinks(path); err == nil {
		path = at
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("write %s: it is a directory; name a file in it", path)
	case err == nil && !info.Mode().IsRegular():
		return direct(path, write)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write %s: %w", path, err)
	}
	return replace(path, write)
}

func direct(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func replace(path string, write func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.partial")
	if err != nil {
		return fmt.Errorf("write beside %s: %w; does its directory exist, and may you write there?", path, err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name()) // the first error says what matters
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	return settle(f, path)
}

// settle gives a file that was written beside path its name, durably.
func settle(f *os.File, path string) error {
	// What an auditor is to read is readable as any file of this user is,
	// and never more than its directory lets it be.
	if err := f.Chmod(0o640); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Outside gives [ErrInside] where path is keepOut, or would lie in it.
func Outside(path, keepOut string) error {
	inside, err := history.Within(path, keepOut)
	if inside {
		return ErrInside
	}
	return err
}
