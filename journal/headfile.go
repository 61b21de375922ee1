package journal

import (
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// The head file has two blocks, its slots, written in turn and in place: a torn
// write costs one slot and never both.
//
//	offset  size
//	0       12   magic "EDGEHEAD" and format
//	16      16   journal id
//	32      8    seq
//	40      32   hash of that record
//	4064    32   checksum
const headMagic = "EDGEHEAD"

// SlotState is the condition of a slot of the head file.
type SlotState string

// States of a slot.
const (
	SlotGood  SlotState = "good"
	SlotBad   SlotState = "bad"   // absent, torn or damaged
	SlotNewer SlotState = "newer" // of a newer format, with a right checksum
)

// Slot is one slot of the head file. Journal and Tip are set if it is good.
type Slot struct {
	State   SlotState
	Journal string
	Tip     record.Tip
}

// HeadReport is the content of the head file, as read before the journal was opened.
type HeadReport struct {
	Path    string // "" for a layout without a head file
	Present bool
	Slots   [2]Slot
}

// Newest returns the good slot with the higher seq; false if there is none.
func (h HeadReport) Newest() (Slot, bool) {
	i := h.newest()
	if i < 0 {
		return Slot{}, false
	}
	return h.Slots[i], true
}

// newest returns the index of the newest good slot, -1 if there is none.
func (h HeadReport) newest() int {
	best := -1
	for i, s := range h.Slots {
		if s.State == SlotGood && (best < 0 || s.Tip.Seq > h.Slots[best].Tip.Seq) {
			best = i
		}
	}
	return best
}

// ReadHead reads the head file. An absent or damaged file is reported in the
// HeadReport; the error is the disk's.
func ReadHead(fsys durable.FS, l Layout) (HeadReport, error) {
	rep := HeadReport{Path: l.Head, Slots: [2]Slot{{State: SlotBad}, {State: SlotBad}}}
	if l.Head == "" {
		return rep, nil
	}
	f, err := fsys.Open(l.Head)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rep, nil
	case err != nil:
		return rep, errs.Of("open the head file", l.Head, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	rep.Present = true
	var b [2 * blockSize]byte
	n, err := io.ReadFull(f, b[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return rep, errs.Of("read the head file", l.Head, err)
	}
	rep.Slots = parseHead(b[:n])
	return rep, nil
}

// parseHead reads both slots of a head file of any length.
func parseHead(b []byte) (slots [2]Slot) {
	for i := range slots {
		slots[i].State = SlotBad
		if len(b) >= (i+1)*blockSize {
			slots[i] = parseSlot(b[i*blockSize:][:blockSize], i)
		}
	}
	return slots
}

func parseSlot(b []byte, number int) Slot {
	switch judgeBlock(b, headMagic, number) {
	case blockNewer:
		return Slot{State: SlotNewer}
	case blockGood:
	default:
		return Slot{State: SlotBad}
	}
	s := Slot{State: SlotGood}
	id, _ := uuid.FromBytes(b[16:32]) // 16 bytes are always a UUID
	s.Journal = id.String()
	s.Tip.Seq = binary.BigEndian.Uint64(b[32:])
	copy(s.Tip.Hash[:], b[40:72])
	if s.Tip.Seq == 0 {
		return Slot{State: SlotBad}
	}
	return s
}

func encodeSlot(id uuid.UUID, t record.Tip, number int) []byte {
	b := make([]byte, blockSize)
	copy(b[16:], id[:])
	binary.BigEndian.PutUint64(b[32:], t.Seq)
	copy(b[40:], t.Hash[:])
	seal(b, headMagic, number)
	return b
}

// createHead writes a head file with both slots equal under a temporary name and
// renames it. A head file that exists is repaired in place instead.
func createHead(fsys durable.FS, l Layout, id uuid.UUID, t record.Tip) error {
	tmp, dir := l.headTmp(), path.Dir(l.Head)
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errs.Of("remove an unfinished head file", tmp, err)
	}
	if err := createInPlace(fsys, tmp, append(encodeSlot(id, t, 0), encodeSlot(id, t, 1)...), 2*blockSize); err != nil {
		return err
	}
	if err := fsys.Rename(tmp, l.Head); err != nil {
		return errs.Of("publish the head file", l.Head, err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return errs.Of("publish the head file", dir, err)
	}
	return nil
}

// createInPlace makes a file of length bytes, which begins with content and is
// then written in place. It switches copy-on-write off if the filesystem
// permits. It writes every block, because the first write to a block that was
// only allocated would change the filesystem's metadata.
func createInPlace(fsys durable.FS, name string, content []byte, length int) error {
	f, err := fsys.Create(name, fileMode)
	if err != nil {
		return errs.Of("create a file of the journal", name, err)
	}
	err = durable.NoCOW(f)
	if err == nil {
		_, err = f.WriteAt(content, 0)
	}
	zeros := make([]byte, 64<<10)
	for at := len(content); err == nil && at < length; at += len(zeros) {
		_, err = f.WriteAt(zeros[:min(len(zeros), length-at)], int64(at))
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return errs.Of("write a file of the journal", name, err)
	}
	return nil
}

// headWriter writes the slots in turn.
type headWriter struct {
	f    durable.File
	path string
	id   uuid.UUID
	next int // the slot that does not hold the newest head
}

// write puts t into the next slot and makes it durable: from then on the
// record is acknowledged.
func (w *headWriter) write(t record.Tip) error {
	if err := w.put(w.next, t); err != nil {
		return err
	}
	if err := w.sync(); err != nil {
		return err
	}
	w.next = 1 - w.next
	return nil
}

func (w *headWriter) put(slot int, t record.Tip) error {
	if _, err := w.f.WriteAt(encodeSlot(w.id, t, slot), int64(slot)*blockSize); err != nil {
		return errs.Of("write the head file", w.path, err)
	}
	return nil
}

func (w *headWriter) sync() error {
	if err := w.f.Datasync(); err != nil {
		return errs.Of("sync the head file", w.path, err)
	}
	return nil
}
