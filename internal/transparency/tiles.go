package transparency

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// tileWidth is how many hashes a full tile holds, and how many records a full
// bundle of entries: c2sp.org/tlog-tiles.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// maxEntry is the largest record that a bundle of entries can hold, in bytes.
const maxEntry = 1<<16 - 1

// Written says what [Tiles] did: how many files it wrote, and how many it
// found there as they had to be.
type Written struct {
	Written, Kept int
}

// Tiles writes the tree of a signed checkpoint, with all its records, as a
// static directory in the form c2sp.org/tlog-tiles:
//
//	checkpoint            the signed checkpoint
//	tile/L/N[.p/W]        hashes of level L, 32 bytes each
//	tile/entries/N[.p/W]  records, each after its length (2 bytes, big-endian)
//
// Every file is written beside its name and renamed; the checkpoint comes last,
// after a flush of everything. A directory that holds an older tree of these
// records is extended, and one left by an interrupted call completed: what is
// there is read and compared, not written again. The error is [ErrTiles] where
// it differs, and nothing is overwritten; [ErrBusy] where another call writes
// there; [ErrOther] where the checkpoint is over other records than src has.
func Tiles(ctx context.Context, src Source, dir string, signed []byte, progress Progress) (Written, error) {
	c, err := Read(signed)
	if err != nil {
		return Written{}, err
	}
	if src.ID() != c.Journal {
		return Written{}, fmt.Errorf("%w: it is of journal %s, this is journal %s", ErrOther, c.Journal, src.ID())
	}
	if tip := src.Tip().Seq; c.Size > tip || src.First() != 1 {
		return Written{}, fmt.Errorf("%w: the checkpoint is over records 1 to %d, here are those from %d to %d", ErrSize, c.Size, src.First(), tip)
	}
	d, err := openTileDir(dir)
	if err != nil {
		return Written{}, fmt.Errorf("write tiles: %w", err)
	}
	defer d.close()
	old, err := d.checkpoint(c)
	if err != nil {
		return Written{}, err
	}
	w := &tiler{dir: d}
	if err := w.stream(ctx, src, c, old, progress); err != nil {
		return d.Written, err
	}
	if root := w.stack.root(); root != c.Root {
		return d.Written, fmt.Errorf("%w: their root is %s, the checkpoint's is %s", ErrOther, root, c.Root)
	}
	return d.Written, d.publish(signed, c, old)
}

// tiler holds what is not yet a full tile: at most one tile of each level.
type tiler struct {
	dir     *tileDir
	stack   stack
	entries bytes.Buffer
	levels  []level
}

type level struct {
	hashes []byte
	full   int64 // tiles of this level that are complete
}

// stream makes every tile of the tree of c.
func (w *tiler) stream(ctx context.Context, src Source, c, old Checkpoint, progress Progress) error {
	for raw, err := range src.RawRecords(1, c.Size) {
		if err != nil {
			return err
		}
		if err := w.add(raw.Raw); err != nil {
			return err
		}
		if w.stack.count == old.Size && w.stack.root() != old.Root {
			return fmt.Errorf("%w: %s is over other records; name another directory", ErrTiles, filepath.Join(w.dir.path, checkpointName))
		}
		if w.stack.count%part == 0 || w.stack.count == c.Size {
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress(w.stack.count, c.Size)
			}
		}
	}
	if w.stack.count != c.Size {
		return fmt.Errorf("%w: of records 1 to %d there are %d", ErrSize, c.Size, w.stack.count)
	}
	return w.rest()
}

func (w *tiler) add(record []byte) error {
	if len(record) > maxEntry {
		return fmt.Errorf("write tiles: record %d has %d bytes, an entry has at most %d: edgectl journal verify", w.stack.count+1, len(record), maxEntry)
	}
	w.entries.Write(binary.BigEndian.AppendUint16(nil, uint16(len(record))))
	w.entries.Write(record)
	h := tlog.RecordHash(record)
	w.stack.push(h)
	if w.stack.count%tileWidth == 0 {
		tile := tlog.Tile{H: tileHeight, L: -1, N: int64(w.stack.count/tileWidth) - 1, W: tileWidth}
		if err := w.dir.keep(tile, w.entries.Bytes()); err != nil {
			return err
		}
		w.entries.Reset()
	}
	return w.hash(0, h)
}

// hash adds a hash to a level; a tile that it completes has a hash of its own
// on the level above.
func (w *tiler) hash(l int, h tlog.Hash) error {
	if l == len(w.levels) {
		w.levels = append(w.levels, level{})
	}
	at := &w.levels[l]
	at.hashes = append(at.hashes, h[:]...)
	if len(at.hashes) < tileWidth*tlog.HashSize {
		return nil
	}
	if err := w.dir.keep(tlog.Tile{H: tileHeight, L: l, N: at.full, W: tileWidth}, at.hashes); err != nil {
		return err
	}
	var s stack
	for i := 0; i < len(at.hashes); i += tlog.HashSize {
		s.push(tlog.Hash(at.hashes[i:]))
	}
	at.full++
	at.hashes = at.hashes[:0]
	return w.hash(l+1, s.root())
}

// rest writes the tiles that are not full.
func (w *tiler) rest() error {
	if n := w.stack.count % tileWidth; n > 0 {
		tile := tlog.Tile{H: tileHeight, L: -1, N: int64(w.stack.count / tileWidth), W: int(n)}
		if err := w.dir.keep(tile, w.entries.Bytes()); err != nil {
			return err
		}
	}
	for l, at := range w.levels {
		if n := len(at.hashes) / tlog.HashSize; n > 0 {
			if err := w.dir.keep(tlog.Tile{H: tileHeight, L: l, N: at.full, W: n}, at.hashes); err != nil {
				return err
			}
		}
	}
	return nil
}
