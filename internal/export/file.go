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

// ErrInside: the file would be inside the evidence.
var ErrInside = errors.New("it is inside what is being exported, which is only read")

// File calls write to write the file at path. It writes a temporary file beside
// path, flushes it and renames it, so that path never holds a part of an export.
// It writes directly to a terminal, /dev/null or a FIFO. keepOut is a directory
// that path may not be inside, or a file that it may not be; "" for none.
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
		return fmt.Errorf("write beside %s: %w; check that its directory exists and that you may write there", path, err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name()) // the first error is the one that matters
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	return publish(f, path)
}

// publish flushes f and renames it to path, durably.
func publish(f *os.File, path string) error {
	// CreateTemp makes a file that only its owner can read; an auditor in the
	// owner's group must be able to read it.
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

// Outside returns [ErrInside] if path is keepOut or would be inside it.
func Outside(path, keepOut string) error {
	inside, err := history.Within(path, keepOut)
	if inside {
		return ErrInside
	}
	return err
}
