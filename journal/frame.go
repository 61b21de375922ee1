package journal

import (
	"encoding/binary"

	"github.com/autonomyops/edged/journal/record"
)

// A frame is one record in consecutive blocks of the tail. It begins on a block
// boundary, so that writing it never touches a block that holds another record.
// Every block carries the generation, so that a torn frame of an older
// generation is not mistaken for one of the current generation. It also carries
// the record's hash, so that blocks of two frames never combine into one.
//
//	offset  size
//	0       12   magic "EDGEFRAM" and format
//	12      2    part: 0, 1, 2 …
//	14      2    number of parts
//	16      8    generation
//	24      8    seq of the record
//	32      4    length of the record, bytes
//	36      4    0
//	40      32   BLAKE3-256 of the record
//	72      3992 the record's next bytes, then zeros
//	4064    32   checksum
const (
	frameMagic = "EDGEFRAM"
	frameData  = 72
	partLen    = blockSum - frameData // bytes of a record in a block
	// maxParts is the number of blocks of the largest record.
	maxParts = (record.MaxLen + partLen - 1) / partLen
)

// framePart is the header of one block of a frame.
type framePart struct {
	part, parts int
	generation  uint64
	seq         uint64
	length      int // of the record, bytes
	hash        record.Hash
}

// parts returns the number of blocks of a record of n bytes.
func parts(n int) int { return max(1, (n+partLen-1)/partLen) }

// encodeFrame returns the blocks of a record. number is the number of the first
// block.
func encodeFrame(generation, seq uint64, hash record.Hash, raw []byte, number int) []byte {
	n := parts(len(raw))
	b := make([]byte, n*blockSize)
	for i := range n {
		p := b[i*blockSize:][:blockSize]
		binary.BigEndian.PutUint16(p[12:], uint16(i))
		binary.BigEndian.PutUint16(p[14:], uint16(n))
		binary.BigEndian.PutUint64(p[16:], generation)
		binary.BigEndian.PutUint64(p[24:], seq)
		binary.BigEndian.PutUint32(p[32:], uint32(len(raw)))
		copy(p[40:], hash[:])
		copy(p[frameData:blockSum], raw[i*partLen:])
		seal(p, frameMagic, number+i)
	}
	return b
}

func parseFramePart(b []byte, number int) (framePart, blockState) {
	state := judgeBlock(b, frameMagic, number)
	if state != blockGood {
		return framePart{}, state
	}
	p := framePart{
		part: int(binary.BigEndian.Uint16(b[12:])), parts: int(binary.BigEndian.Uint16(b[14:])),
		generation: binary.BigEndian.Uint64(b[16:]), seq: binary.BigEndian.Uint64(b[24:]),
		length: int(binary.BigEndian.Uint32(b[32:])),
	}
	copy(p.hash[:], b[40:])
	if p.length > record.MaxLen || p.parts != parts(p.length) || p.part >= p.parts {
		return framePart{}, blockBad
	}
	return p, blockGood
}
