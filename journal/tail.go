package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// The tail is one preallocated file. It is written in place and never grown,
// renamed or removed, so that an append needs no free block and no free inode.
//
//	block   0                header A
//	        1                header B
//	        2 to 65          the snapshot of header A
//	        66 to 129        the snapshot of header B
//	        130 to the end   frames, from the first block on in each generation
const (
	// TailName is the tail's name in a journal directory.
	TailName = "tail"

	tailLength  = 4 << 20 // bytes, of the tail that a gate creates
	snapBlocks  = maxSnapshot / blockSize
	firstFrame  = 2 + 2*snapBlocks
	minTail     = (firstFrame + maxParts + 1) * blockSize
	maxTail     = 64 << 20
	readBlocks  = 16 // blocks read at once
	settleAfter = 32 // with more records than this in the tail, settling is due
)

// maxSnapshot is the largest snapshot that fits into the tail, in bytes.
const maxSnapshot = 256 << 10

// frame is a record of the tail: read and linked, or written by this run.
type frame struct {
	block int // the block of its first part
	rec   record.Record
}

func (f *frame) parts() int { return parts(len(f.rec.Raw)) }

// tail is an open tail file and the header in force.
type tail struct {
	f      durable.File
	path   string
	window []byte // the blocks that were read last
	from   int    // the number of the first of them

	header  header
	slot    int  // the block of header; -1 if neither header is good
	derived bool // header was lost, and is derived from a frame
	blocks  int  // in the whole file
}

func tailPath(l Layout) string { return path.Join(l.Dir, TailName) }

// openTail opens the tail and reads its headers. It returns errs.ErrCorrupt if
// the tail is missing, or if its size is not the header's. If neither header is
// good it succeeds with slot -1.
func openTail(fsys durable.FS, l Layout) (*tail, error) {
	t := &tail{path: tailPath(l)}
	f, err := fsys.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errs.Corrupt(t.path, 0, err, "open the journal: its tail is missing")
	}
	if err != nil {
		return nil, errs.Of("open the journal's tail", t.path, err)
	}
	t.f = f
	durable.RandomAccess(f)
	if err := t.load(); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return t, nil
}

func (t *tail) load() error {
	info, err := t.f.Stat()
	if err != nil {
		return errs.Of("read the journal's tail", t.path, err)
	}
	if info.Size < minTail || info.Size > maxTail || info.Size%blockSize != 0 {
		return errs.Corrupt(t.path, 0, nil, "read the journal's tail: %d bytes is no length of a tail", info.Size)
	}
	t.blocks = int(info.Size / blockSize)
	if t.header, t.slot, err = t.newestHeader(); err != nil {
		return err
	}
	if t.slot >= 0 && t.header.length != info.Size {
		return errs.Corrupt(t.path, 0, nil, "read the journal's tail: it has %d bytes, but its header says %d", info.Size, t.header.length)
	}
	return nil
}

// newestHeader reads both headers and returns the newest good one and its slot.
// The slot is -1 if neither is good.
func (t *tail) newestHeader() (newest header, slot int, err error) {
	b := make([]byte, 2*blockSize)
	if err := t.readAt(b, 0); err != nil {
		return header{}, -1, err
	}
	slot = -1
	for i := range 2 {
		h, state := parseHeader(b[i*blockSize:][:blockSize], i)
		if state == blockNewer {
			return header{}, -1, &errs.Error{Kind: errs.ErrNewer, Path: t.path, Detail: "read the journal's tail", Next: errs.NextUpgrade}
		}
		if state == blockGood && (slot < 0 || h.generation > newest.generation) {
			newest, slot = h, i
		}
	}
	return newest, slot, nil
}

func (t *tail) readAt(b []byte, block int) error {
	if _, err := t.f.ReadAt(b, int64(block)*blockSize); err != nil {
		if errors.Is(err, io.EOF) {
			return errs.Corrupt(t.path, 0, err, "read the journal's tail: it was cut short")
		}
		return errs.Of("read the journal's tail", t.path, err)
	}
	return nil
}

// block returns the bytes of a block of the frames, valid until the next call.
func (t *tail) block(number int) ([]byte, error) {
	if i := number - t.from; i < 0 || i >= len(t.window)/blockSize {
		n := min(readBlocks, t.blocks-number)
		if cap(t.window) < n*blockSize {
			t.window = make([]byte, readBlocks*blockSize)
		}
		t.window, t.from = t.window[:n*blockSize], number
		if err := t.readAt(t.window, number); err != nil {
			t.window = t.window[:0]
			return nil, err
		}
	}
	return t.window[(number-t.from)*blockSize:][:blockSize], nil
}

// part reads the frame header of a block. At the end of the tail it returns blockUnwritten.
func (t *tail) part(number int) (framePart, []byte, blockState, error) {
	if number >= t.blocks {
		return framePart{}, nil, blockUnwritten, nil
	}
	b, err := t.block(number)
	if err != nil {
		return framePart{}, nil, blockBad, err
	}
	p, state := parseFramePart(b, number)
	return p, b, state, nil
}

// frame reads the record of the frame that begins at a block. ok is false if
// no whole frame begins there.
func (t *tail) frame(number int) (p framePart, raw []byte, ok bool, err error) {
	p, b, state, err := t.part(number)
	if err != nil || state != blockGood || p.part != 0 || number+p.parts > t.blocks {
		return p, nil, false, err
	}
	raw = make([]byte, 0, p.length)
	for i := 0; ; {
		raw = append(raw, b[frameData:frameData+min(partLen, p.length-len(raw))]...)
		if i++; i == p.parts {
			return p, raw, record.HashOf(raw) == p.hash, nil
		}
		var next framePart
		if next, b, state, err = t.part(number + i); err != nil {
			return p, nil, false, err
		}
		want := p
		want.part = i
		if state != blockGood || next != want {
			return p, nil, false, nil
		}
	}
}

// end describes the block after the last frame.
type end struct {
	// acceptable: the block is unwritten or of an older generation, or the
	// tail is full. Otherwise the block was written and holds no whole frame.
	acceptable bool
	err        error // what is wrong with the frame, if it is known
}

// frames reads the records that follow base, up to the first frame that does not
// verify. next is the block after them. settled is the seq of the newest settled
// record: a good frame after the end is a remnant if its seq is not above
// settled; otherwise the end is damage.
func (t *tail) frames(id string, settled uint64) (list []frame, next int, stop end, err error) {
	tip := t.header.base
	next = firstFrame
	for {
		p, raw, ok, err := t.frame(next)
		if err != nil {
			return nil, 0, end{}, err
		}
		if !ok || p.generation != t.header.generation {
			break
		}
		var rec record.Record
		if len(list) > 0 {
			rec = list[len(list)-1].rec // its texts are shared
		}
		if err := rec.Decode(raw); err != nil {
			if errors.Is(err, errs.ErrNewer) {
				return nil, 0, end{}, errs.At(err, t.path, p.seq)
			}
			stop.err = errs.At(err, t.path, p.seq)
			break
		}
		if rec.Journal != id || rec.Seq != tip.Seq+1 || rec.Prev != tip.Hash {
			stop.err = errs.Corrupt(t.path, tip.Seq+1, nil, "follow the chain: the record here is not the next one of this journal")
			break
		}
		tip = record.Tip{Seq: rec.Seq, Hash: rec.Hash}
		list = append(list, frame{block: next, rec: rec})
		next += p.parts
	}
	if stop.err == nil {
		if stop, err = t.endAt(next); err != nil {
			return nil, 0, end{}, err
		}
	}
	if err := t.checkAfter(next, tip.Seq, settled); err != nil {
		return nil, 0, end{}, err
	}
	return list, next, stop, nil
}

// endAt describes the block after the last frame.
func (t *tail) endAt(next int) (end, error) {
	p, _, state, err := t.part(next)
	switch {
	case err != nil:
		return end{}, err
	case state == blockNewer:
		return end{}, &errs.Error{Kind: errs.ErrNewer, Path: t.path, Detail: fmt.Sprintf("read block %d of the journal's tail", next), Next: errs.NextUpgrade}
	case state == blockUnwritten, state == blockGood && p.generation < t.header.generation:
		return end{acceptable: true}, nil
	case state == blockGood && p.generation > t.header.generation:
		return end{}, errs.Corrupt(t.path, p.seq, nil, "read the journal's tail: block %d is of generation %d, but the newest header of %d", next, p.generation, t.header.generation)
	}
	return end{err: errs.Corrupt(t.path, 0, nil, "read the journal's tail: block %d holds no whole frame", next)}, nil
}

// checkAfter looks after the end for frames that no crash leaves there: one frame
// is written per sync, so no frame follows a torn one.
func (t *tail) checkAfter(next int, tip, settled uint64) error {
	for number := next + 1; number < min(next+1+maxParts, t.blocks); number++ {
		p, _, ok, err := t.frame(number)
		switch {
		case err != nil:
			return err
		case p.generation > t.header.generation:
			return errs.Corrupt(t.path, p.seq, nil, "read the journal's tail: block %d is of generation %d, but the newest header of %d", number, p.generation, t.header.generation)
		case ok && p.generation == t.header.generation && p.seq > settled:
			return errs.Corrupt(t.path, tip+1, nil, "read the journal's tail: block %d is damaged, but record %d follows it", next, p.seq)
		}
	}
	return nil
}

// snapshot reads the header's snapshot area. It returns nil if there is no
// snapshot, or if its hash is not the one in the header.
func (t *tail) snapshot() ([]byte, error) {
	if t.header.snapLen == 0 {
		return nil, nil
	}
	b := make([]byte, t.header.snapLen)
	if err := t.readAt(b, snapArea(t.slot)); err != nil {
		return nil, err
	}
	if record.HashOf(b) != t.header.snapHash {
		return nil, nil
	}
	return b, nil
}

// snapArea returns the first block of a header's snapshot area.
func snapArea(slot int) int { return 2 + slot*snapBlocks }
