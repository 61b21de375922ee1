package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"path"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
)

// The head file, 8 KiB: two slots, 4 KiB apart, written in turn. See the
// package documentation for the drawing.
const (
	headSize   = 8192
	slotStride = 4096
	slotLen    = 128
	slotSum    = 96 // offset of the checksum, in every version
	headMagic  = "EDGEHEAD"
	headFormat = 1
)

// SlotState says what a slot of the head file holds.
type SlotState string

// States of a slot.
const (
	SlotGood  SlotState = "good"
	SlotBad   SlotState = "bad"   // absent, torn or damaged
	SlotNewer SlotState = "newer" // of a newer format, with a right checksum
)

// Slot is one slot of the head file. Journal and Tip are set when it is good.
type Slot struct {
	State   SlotState
	Journal string
	Tip     Tip
}

// HeadReport is the head file as it was found before the journal was opened.
type HeadReport struct {
	Path    string // "" for a layout without a head file
	Present bool
	Slots   [2]Slot
}

// Newest gives the good slot with the higher seq; false if there is none.
func (h HeadReport) Newest() (Slot, bool) {
	best, ok := Slot{}, false
	for _, s := range h.Slots {
		if s.State == SlotGood && (!ok || s.Tip.Seq > best.Tip.Seq) {
			best, ok = s, true
		}
	}
	return best, ok
}

// readHead reads the head file. That it is absent or damaged is in the
// report; the error is the disk's.
func readHead(fsys durable.FS, name string) (HeadReport, error) {
	rep := HeadReport{Path: name, Slots: [2]Slot{{State: SlotBad}, {State: SlotBad}}}
	if name == "" {
		return rep, nil
	}
	f, err := fsys.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return rep, nil
	case err != nil:
		return rep, ioError("open the head file", name, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	rep.Present = true
	var b [headSize]byte
	n, err := io.ReadFull(f, b[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return rep, ioError("read the head file", name, err)
	}
	rep.Slots = parseHead(b[:n])
	return rep, nil
}

// parseHead reads both slots of a head file of any length.
func parseHead(b []byte) (slots [2]Slot) {
	for i := range slots {
		slots[i].State = SlotBad
		if len(b) >= i*slotStride+slotLen {
			slots[i] = parseSlot(b[i*slotStride:][:slotLen])
		}
	}
	return slots
}

func parseSlot(b []byte) Slot {
	sum := HashOf(b[:slotSum])
	if string(b[:8]) != headMagic || !bytes.Equal(b[slotSum:slotLen], sum[:]) {
		return Slot{State: SlotBad}
	}
	format := binary.BigEndian.Uint32(b[8:])
	if format > headFormat {
		return Slot{State: SlotNewer}
	}
	s := Slot{State: SlotGood}
	id, _ := uuid.FromBytes(b[16:32]) // 16 bytes are always a UUID
	s.Journal = id.String()
	s.Tip.Seq = binary.BigEndian.Uint64(b[32:])
	copy(s.Tip.Hash[:], b[40:72])
	if format == 0 || s.Tip.Seq == 0 {
		return Slot{State: SlotBad}
	}
	return s
}

func encodeSlot(id uuid.UUID, t Tip) []byte {
	b := make([]byte, slotLen)
	copy(b, headMagic)
	binary.BigEndian.PutUint32(b[8:], headFormat)
	copy(b[16:], id[:])
	binary.BigEndian.PutUint64(b[32:], t.Seq)
	copy(b[40:], t.Hash[:])
	sum := HashOf(b[:slotSum])
	copy(b[slotSum:], sum[:])
	return b
}

// writeHead makes a new head file with both slots equal, beside its name, and
// renames it into place.
func writeHead(fsys durable.FS, l Layout, id uuid.UUID, t Tip) error {
	tmp, dir := l.headTmp(), path.Dir(l.Head)
	if err := removeTree(fsys, tmp); err != nil {
		return ioError("remove a stale head file", tmp, err)
	}
	f, err := fsys.Create(tmp, fileMode)
	if err != nil {
		return ioError("create the head file", tmp, err)
	}
	b := make([]byte, headSize)
	for i := range 2 {
		copy(b[i*slotStride:], encodeSlot(id, t))
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return ioError("write the head file", tmp, err)
	}
	if err := fsys.Rename(tmp, l.Head); err != nil {
		return ioError("publish the head file", l.Head, err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return ioError("publish the head file", dir, err)
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
func (w *headWriter) write(t Tip) error {
	if _, err := w.f.WriteAt(encodeSlot(w.id, t), int64(w.next)*slotStride); err != nil {
		return ioError("write the head file", w.path, err)
	}
	if err := w.f.Datasync(); err != nil {
		return ioError("sync the head file", w.path, err)
	}
	w.next = 1 - w.next
	return nil
}
