package transparency

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sys/unix"
)

const (
	// checkpointName is the file that a reader begins with; it is written last.
	checkpointName = "checkpoint"
	partialName    = ".partial"
)

// tileDir is a directory of tiles that one call at a time writes to.
type tileDir struct {
	Written
	path string
	lock *os.File
}

// openTileDir makes the directory where it is missing, and locks it.
func openTileDir(path string) (*tileDir, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrBusy
	}
	if err != nil {
		_ = lock.Close() // read-only
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	d := &tileDir{path: path, lock: lock}
	if err := os.Remove(d.beside()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.close()
		return nil, err
	}
	return d, nil
}

// beside is the one file that is being written; an interrupted call leaves it.
func (d *tileDir) beside() string { return filepath.Join(d.path, partialName) }

func (d *tileDir) close() { _ = d.lock.Close() } // a directory: nothing was written to it

// TilePath is where a tile of height 8 lies, by c2sp.org/tlog-tiles; level -1
// is that of the entries.
func TilePath(t tlog.Tile) string {
	if t.L == -1 {
		return "tile/entries/" + strings.TrimPrefix(t.Path(), "tile/8/data/")
	}
	return "tile/" + strings.TrimPrefix(t.Path(), "tile/8/")
}

func (d *tileDir) name(t tlog.Tile) string {
	return filepath.Join(d.path, filepath.FromSlash(TilePath(t)))
}

// checkpoint is that of the tree which is there already; the zero one, whose
// size no tree has, where there is none. It must be one that c can continue.
func (d *tileDir) checkpoint(c Checkpoint) (Checkpoint, error) {
	name := filepath.Join(d.path, checkpointName)
	text, err := readAtMost(name, MaxCheckpoint+1)
	if errors.Is(err, fs.ErrNotExist) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, err
	}
	old, err := Read(text)
	switch {
	case err != nil:
		return Checkpoint{}, fmt.Errorf("%s: %w; name another directory", name, err)
	case old.Journal != c.Journal:
		return Checkpoint{}, fmt.Errorf("%w: %s is of journal %s, this is journal %s; name another directory", ErrTiles, name, old.Journal, c.Journal)
	case old.Size > c.Size:
		return Checkpoint{}, fmt.Errorf("%w: %s is over %d records, this tree has %d; name another directory", ErrTiles, name, old.Size, c.Size)
	}
	return old, nil
}

// keep writes a tile, unless it is there already.
func (d *tileDir) keep(t tlog.Tile, data []byte) error {
	name := d.name(t)
	found, err := readAtMost(name, int64(len(data))+1)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && bytes.Equal(found, data):
		d.Kept++
		return nil
	case err == nil && !unfinished(found, data):
		return fmt.Errorf("%w: %s; name another directory", ErrTiles, name)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return d.replace(name, data, false)
}

// unfinished tells what a loss of power leaves of a file that was renamed
// before it was flushed, its end or all of it missing or zero, from a file
// that somebody has altered.
func unfinished(found, data []byte) bool {
	return len(found) <= len(data) && bytes.HasPrefix(data, bytes.TrimRight(found, "\x00"))
}

// replace writes a file beside and gives it its name.
func (d *tileDir) replace(name string, data []byte, synced bool) (err error) {
	beside := d.beside()
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && synced {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(beside, name)
	}
	if err != nil {
		_ = os.Remove(beside) // the first error says what matters
		return err
	}
	d.Written.Written++
	return nil
}

// publish puts the new checkpoint in place, once everything that it commits to
// is on the disk, and removes the partial tiles that are full now.
func (d *tileDir) publish(signed []byte, c, old Checkpoint) error {
	if err := d.flush(); err != nil {
		return err
	}
	if err := d.replace(filepath.Join(d.path, checkpointName), signed, true); err != nil {
		return err
	}
	for l, size := -1, old.Size; size > 0; l++ {
		if index := size / tileWidth; size%tileWidth > 0 && (index+1)*tileWidth <= c.Size>>(tileHeight*max(l, 0)) {
			full := d.name(tlog.Tile{H: tileHeight, L: l, N: int64(index), W: tileWidth})
			if err := os.RemoveAll(full + ".p"); err != nil {
				return err
			}
		}
		if l >= 0 {
			size >>= tileHeight
		}
	}
	return d.flush()
}

// flush makes everything on the filesystem of the directory durable: one call
// for thousands of small files.
func (d *tileDir) flush() error {
	if err := unix.Syncfs(int(d.lock.Fd())); err != nil {
		return &fs.PathError{Op: "syncfs", Path: d.path, Err: err}
	}
	return nil
}

// readAtMost reads a regular file of which no more than limit bytes matter.
func readAtMost(name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read-only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
