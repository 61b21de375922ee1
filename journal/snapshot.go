package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"
)

// MaxSnapshot is the largest snapshot in bytes.
const MaxSnapshot = 256 << 10

// ladderStep is the distance, in records, of the snapshots that are kept: at
// most one of each ladderStep records stays, and the newest.
const ladderStep = 8192

// A snapshot's value: version (1 byte), BLAKE3-256 of key and data (32
// bytes), data.
const (
	snapshotVersion = 1
	snapshotHeader  = 1 + 32
)

type snapshot struct {
	seq  uint64
	data []byte
}

// SaveSnapshot keeps what the caller derived from the records up to seq. It
// reaches the disk with Close, at no further sync; only the last one saved
// does. Snapshots are a convenience: they are never needed, and what is wrong
// with one makes it absent.
func (w *Writer) SaveSnapshot(seq uint64, data []byte) error {
	switch {
	case w.err != nil:
		return w.err
	case seq == 0 || seq > w.tip.Seq:
		return invalid(seq, nil, "save a snapshot: no such record")
	case len(data) > MaxSnapshot:
		return &Error{Kind: ErrTooLarge, Path: w.l.Dir, Seq: seq, Next: nextDevelop,
			Detail: fmt.Sprintf("save a snapshot of %d bytes, at most %d fit", len(data), MaxSnapshot)}
	}
	w.snap = &snapshot{seq, bytes.Clone(data)}
	return nil
}

// putSnapshot writes the snapshot that waits, drops those that the ladder
// does not keep, and reports whether it wrote.
func (w *Writer) putSnapshot() (bool, error) {
	if w.snap == nil {
		return false, nil
	}
	seqs, err := w.ladder()
	if err != nil {
		return false, err
	}
	keep, drop := nextLadder(seqs, w.snap.seq)
	b := w.db.NewBatch()
	err = b.Set(snapshotKey(w.snap.seq), encodeSnapshot(w.snap.seq, w.snap.data), nil)
	for _, s := range drop {
		err = errors.Join(err, b.Delete(snapshotKey(s), nil))
	}
	err = errors.Join(err, b.Set([]byte(ladderKey), appendLadder(nil, keep), nil))
	if err != nil {
		return false, err
	}
	// No sync: the flush that follows makes it durable, or a crash loses it.
	return true, b.Commit(pebble.NoSync)
}

// nextLadder adds seq to an ascending ladder. Of each ladderStep records the
// newest snapshot stays.
func nextLadder(seqs []uint64, seq uint64) (keep, drop []uint64) {
	all := append(slices.Clone(seqs), seq)
	slices.Sort(all)
	all = slices.Compact(all)
	for i, s := range all {
		if i+1 < len(all) && all[i+1]/ladderStep == s/ladderStep {
			drop = append(drop, s)
		} else {
			keep = append(keep, s)
		}
	}
	return keep, drop
}

// Snapshot gives the newest snapshot of a record not after atOrBefore. ok is
// false where there is none: a snapshot that is missing, damaged or of a newer
// version is passed over. The error is the disk's, or the storage's.
func (r *reader) Snapshot(atOrBefore uint64) (seq uint64, data []byte, ok bool, err error) {
	seqs, err := r.ladder()
	if err != nil {
		return 0, nil, false, err
	}
	for i := sort.Search(len(seqs), func(i int) bool { return seqs[i] > atOrBefore }) - 1; i >= 0; i-- {
		val, err := r.get(snapshotKey(seqs[i]))
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return 0, nil, false, placed(ioError("read a snapshot", r.l.Dir, err), r.l.Dir, seqs[i])
		}
		if data, ok := decodeSnapshot(seqs[i], val); ok {
			return seqs[i], data, true, nil
		}
	}
	return 0, nil, false, nil
}

// Snapshots lists the records that snapshots are said to exist of, ascending.
func (r *reader) Snapshots() ([]uint64, error) { return r.ladder() }

func (r *reader) ladder() ([]uint64, error) {
	val, err := r.get([]byte(ladderKey))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, ioError("read the list of snapshots", r.l.Dir, err)
	}
	return parseLadder(val, r.tip.Seq), nil
}

func encodeSnapshot(seq uint64, data []byte) []byte {
	sum := snapshotSum(seq, data)
	b := make([]byte, 0, snapshotHeader+len(data))
	b = append(b, snapshotVersion)
	b = append(b, sum[:]...)
	return append(b, data...)
}

func decodeSnapshot(seq uint64, b []byte) ([]byte, bool) {
	if len(b) < snapshotHeader || b[0] != snapshotVersion {
		return nil, false
	}
	data := b[snapshotHeader:]
	sum := snapshotSum(seq, data)
	return data, bytes.Equal(sum[:], b[1:snapshotHeader])
}

// snapshotSum covers the place too, so that a snapshot cannot be moved.
func snapshotSum(seq uint64, data []byte) Hash {
	return HashOf(append(recordKey(seq), data...))
}

// The ladder's value: version (1 byte), then the ascending seqs, each as the
// uvarint of its distance from the one before.
func appendLadder(b []byte, seqs []uint64) []byte {
	b = append(b, 1)
	last := uint64(0)
	for _, s := range seqs {
		b = binary.AppendUvarint(b, s-last)
		last = s
	}
	return b
}

// parseLadder gives nothing for what it does not understand.
func parseLadder(b []byte, tip uint64) []uint64 {
	if len(b) == 0 || b[0] != 1 {
		return nil
	}
	var seqs []uint64
	last := uint64(0)
	for b = b[1:]; len(b) > 0; {
		d, n := binary.Uvarint(b)
		if n <= 0 || d == 0 || d > tip-last {
			return nil
		}
		last += d
		seqs = append(seqs, last)
		b = b[n:]
	}
	return seqs
}
