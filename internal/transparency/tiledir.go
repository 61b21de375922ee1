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
	// checkpointName is the file that readers open first. It is written last.
	checkpointName = "checkpoint"
	partialName    = ".partial"
)

// tileDir is a directory of tiles, locked for writing.
type tileDir struct {
	Written
	path string
	lock *os.File
}

// openTileDir creates the directory if it is missing, and locks it. The error is
// [ErrBusy] if another process has locked it.
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
	if err := os.Remove(d.partial()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.close()
		return nil, err
	}
	return d, nil
}

// partial returns the path of the temporary file. An interrupted call leaves it.
func (d *tileDir) partial() string { return filepath.Join(d.path, partialName) }

func (d *tileDir) close() { _ = d.lock.Close() } // a directory: nothing was written to it

// TilePath returns the path of a tile of height 8 by c2sp.org/tlog-tiles. Level -1
// holds the entries.
func TilePath(t tlog.Tile) string {
	if t.L == -1 {
		return "tile/entries/" + strings.TrimPrefix(t.Path(), "tile/8/data/")
	}
	return "tile/" + strings.TrimPrefix(t.Path(), "tile/8/")
}

func (d *tileDir) name(t tlog.Tile) string {
	return filepath.Join(d.path, filepath.FromSlash(TilePath(t)))
}

// checkpoint returns the checkpoint in the directory; its size is 0 if there is
// none. The error is [ErrTiles] if c cannot continue it.
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
		return Checkpoint{}, fmt.Errorf("%w: %s is of journal %s, but this is journal %s; name another directory", ErrTiles, name, old.Journal, c.Journal)
	case old.Size > c.Size:
		return Checkpoint{}, fmt.Errorf("%w: %s is over %d records, but this tree has %d; name another directory", ErrTiles, name, old.Size, c.Size)
	}
	return old, nil
}

// keep writes a tile, unless the directory holds it. The error is [ErrTiles] if
// the directory holds another one.
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

// unfinished reports whether found may be what a power cut left of data in a file
// that was renamed before it was flushed: its end is missing or zero. Any other
// difference was made by somebody.
func unfinished(found, data []byte) bool {
	return len(found) <= len(data) && bytes.HasPrefix(data, bytes.TrimRight(found, "\x00"))
}

// replace writes a temporary file and renames it to name.
func (d *tileDir) replace(name string, data []byte, synced bool) (err error) {
	partial := d.partial()
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && synced {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(partial, name)
	}
	if err != nil {
		_ = os.Remove(partial) // the first error is the one that matters
		return err
	}
	d.Written.Written++
	return nil
}

// publish flushes the tiles, writes the new checkpoint, and removes partial tiles
// whose full tile exists.
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

// flush flushes the directory's filesystem: one call for thousands of small files.
func (d *tileDir) flush() error {
	if err := unix.Syncfs(int(d.lock.Fd())); err != nil {
		return &fs.PathError{Op: "syncfs", Path: d.path, Err: err}
	}
	return nil
}

// readAtMost reads at most limit bytes of a regular file.
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
