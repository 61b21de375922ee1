package transparency

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// tileWidth is the number of hashes in a full tile, and of records in a full
// bundle of entries (c2sp.org/tlog-tiles).
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// maxEntry is the largest record that a bundle of entries can hold, in bytes.
const maxEntry = 1<<16 - 1

// Written is the result of [Tiles]: the number of files that it wrote, and of
// those that it found complete.
type Written struct {
	Written, Kept int
}

// Tiles writes the tree of a signed checkpoint and its records to a directory, in
// the form c2sp.org/tlog-tiles:
//
//	checkpoint            the signed checkpoint
//	tile/L/N[.p/W]        hashes of level L, 32 bytes each
//	tile/entries/N[.p/W]  records, each after its length (2 bytes, big-endian)
//
// It writes each file to a temporary one and renames it. The checkpoint is last,
// after a flush of all tiles. Tiles extends a directory that holds an older tree of
// these records, and completes one that an interrupted call left: it compares the
// files that exist and writes only those that are missing. It overwrites nothing
// of another history. The error is [ErrTiles] if the directory holds other
// records, [ErrBusy] if another process writes to it, and [ErrOther] or [ErrSize]
// if the checkpoint is over other records than those of src.
func Tiles(ctx context.Context, src Source, dir string, signed []byte, progress Progress) (Written, error) {
	c, err := Read(signed)
	if err != nil {
		return Written{}, err
	}
	if src.ID() != c.Journal {
		return Written{}, fmt.Errorf("%w: it is of journal %s, but this is journal %s", ErrOther, c.Journal, src.ID())
	}
	if tip := src.Tip().Seq; c.Size > tip || src.First() != 1 {
		return Written{}, fmt.Errorf("%w: the checkpoint is over records 1 to %d, but here are records %d to %d", ErrSize, c.Size, src.First(), tip)
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
	if root := w.edge.Root(); root != c.Root {
		return d.Written, fmt.Errorf("%w: their root is %s, but that of the checkpoint is %s", ErrOther, root, c.Root)
	}
	return d.Written, d.publish(signed, c, old)
}

// tiler holds the hashes and entries that do not fill a tile yet: less than one
// tile of each level.
type tiler struct {
	dir     *tileDir
	edge    Edge
	entries bytes.Buffer
	levels  []level
}

type level struct {
	hashes []byte
	full   int64 // number of full tiles
}

// Tile returns the content of a tile of height 8, as [Tiles] writes it, from the records
// below it. The error is [ErrSize] if there are not that many records.
func Tile(src Source, t tlog.Tile) ([]byte, error) {
	var (
		data []byte
		edge Edge
		span = uint64(1) << (tileHeight * max(t.L, 0)) // records below each hash
		from = uint64(t.N) * tileWidth * span
		want = uint64(t.W) * span
	)
	if tip := src.Tip().Seq; from >= tip || want > tip-from {
		return nil, fmt.Errorf("%w: the tile is over records %d to %d, but here are records 1 to %d", ErrSize, from+1, from+want, tip)
	}
	n := uint64(0)
	for raw, err := range src.RawRecords(from+1, from+want) {
		if err != nil {
			return nil, err
		}
		n++
		if t.L < 0 {
			data = append(binary.BigEndian.AppendUint16(data, uint16(len(raw.Raw))), raw.Raw...) //nolint:gosec // at most maxEntry
			continue
		}
		edge.Push(tlog.RecordHash(raw.Raw))
		if edge.Count == span {
			root := edge.Root()
			data, edge = append(data, root[:]...), Edge{}
		}
	}
	if n != want {
		return nil, fmt.Errorf("%w: of records %d to %d there are only %d", ErrSize, from+1, from+want, n)
	}
	return data, nil
}

// stream writes every tile of the tree of c.
func (w *tiler) stream(ctx context.Context, src Source, c, old Checkpoint, progress Progress) error {
	for raw, err := range src.RawRecords(1, c.Size) {
		if err != nil {
			return err
		}
		if err := w.add(raw.Raw); err != nil {
			return err
		}
		if w.edge.Count == old.Size && w.edge.Root() != old.Root {
			return fmt.Errorf("%w: %s is over other records; name another directory", ErrTiles, filepath.Join(w.dir.path, checkpointName))
		}
		if w.edge.Count%chunk == 0 || w.edge.Count == c.Size {
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress(w.edge.Count, c.Size)
			}
		}
	}
	if w.edge.Count != c.Size {
		return fmt.Errorf("%w: of records 1 to %d there are only %d", ErrSize, c.Size, w.edge.Count)
	}
	return w.finish()
}

func (w *tiler) add(record []byte) error {
	if len(record) > maxEntry {
		return fmt.Errorf("write tiles: record %d has %d bytes, but an entry has at most %d; run edgectl journal verify", w.edge.Count+1, len(record), maxEntry)
	}
	w.entries.Write(binary.BigEndian.AppendUint16(nil, uint16(len(record))))
	w.entries.Write(record)
	h := tlog.RecordHash(record)
	w.edge.Push(h)
	if w.edge.Count%tileWidth == 0 {
		tile := tlog.Tile{H: tileHeight, L: -1, N: int64(w.edge.Count/tileWidth) - 1, W: tileWidth}
		if err := w.dir.keep(tile, w.entries.Bytes()); err != nil {
			return err
		}
		w.entries.Reset()
	}
	return w.hash(0, h)
}

// hash adds a hash to a level. If that fills a tile, it adds the tile's hash to
// the level above.
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
	var e Edge
	for i := 0; i < len(at.hashes); i += tlog.HashSize {
		e.Push(tlog.Hash(at.hashes[i:]))
	}
	at.full++
	at.hashes = at.hashes[:0]
	return w.hash(l+1, e.Root())
}

// finish writes the tiles that are not full.
func (w *tiler) finish() error {
	if n := w.edge.Count % tileWidth; n > 0 {
		tile := tlog.Tile{H: tileHeight, L: -1, N: int64(w.edge.Count / tileWidth), W: int(n)}
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
