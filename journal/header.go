package journal

import (
	"encoding/binary"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// A header is block 0 or 1 of the tail. The one with the higher generation is
// in force; the next settling writes the other.
//
//	offset  size
//	0       12   magic "EDGETAIL" and format
//	12      4    number of Pebble's files
//	16      16   journal id
//	32      8    length of the tail, bytes
//	40      8    generation
//	48      8    base: seq of the newest settled record, 0 if there is none
//	56      32   base: its hash
//	88      8    length of the snapshot in this header's area, 0 if there is none
//	96      32   BLAKE3-256 of the snapshot
//	128     …    Pebble's files in order of name: size (8), length of the name (1), name
//	4064    32   checksum
const headerMagic = "EDGETAIL"

type header struct {
	id         uuid.UUID
	length     int64 // of the tail, bytes
	generation uint64
	base       record.Tip // the newest settled record
	snapLen    int        // bytes
	snapHash   record.Hash
	files      []store.File
}

const headerFiles = 128

func (h *header) encode(number int) []byte {
	b := make([]byte, blockSize)
	binary.BigEndian.PutUint32(b[12:], uint32(len(h.files)))
	copy(b[16:], h.id[:])
	binary.BigEndian.PutUint64(b[32:], uint64(h.length))
	binary.BigEndian.PutUint64(b[40:], h.generation)
	binary.BigEndian.PutUint64(b[48:], h.base.Seq)
	copy(b[56:], h.base.Hash[:])
	binary.BigEndian.PutUint64(b[88:], uint64(h.snapLen))
	copy(b[96:], h.snapHash[:])
	at := b[headerFiles:headerFiles]
	for _, f := range h.files {
		at = binary.BigEndian.AppendUint64(at, uint64(f.Size))
		at = append(at, byte(len(f.Name)))
		at = append(at, f.Name...)
	}
	seal(b, headerMagic, number)
	return b
}

// fits reports whether the list of files has room in a header. Pebble's files
// always fit, because a compaction keeps them below thirty.
func (h *header) fits() bool {
	n := headerFiles
	for _, f := range h.files {
		n += 9 + len(f.Name)
		if len(f.Name) > 255 {
			return false
		}
	}
	return n <= blockSum
}

// parseHeader reads a header; h is usable only if state is blockGood.
func parseHeader(b []byte, number int) (h header, state blockState) {
	if state = judgeBlock(b, headerMagic, number); state != blockGood {
		return h, state
	}
	copy(h.id[:], b[16:])
	h.length = int64(binary.BigEndian.Uint64(b[32:]))
	h.generation = binary.BigEndian.Uint64(b[40:])
	h.base.Seq = binary.BigEndian.Uint64(b[48:])
	copy(h.base.Hash[:], b[56:])
	h.snapLen = int(binary.BigEndian.Uint64(b[88:]))
	copy(h.snapHash[:], b[96:])
	if h.snapLen < 0 || h.snapLen > maxSnapshot {
		return h, blockBad
	}
	list := b[headerFiles:blockSum]
	for range binary.BigEndian.Uint32(b[12:]) {
		if len(list) < 9 || list[8] == 0 || len(list) < 9+int(list[8]) {
			return h, blockBad
		}
		n := 9 + int(list[8])
		h.files = append(h.files, store.File{Name: string(list[9:n]), Size: int64(binary.BigEndian.Uint64(list))})
		list = list[n:]
	}
	return h, blockGood
}
