package journal

import (
	"encoding/binary"

	"github.com/autonomyops/edged/journal/record"
)

// Tail and head file are made of blocks of 4 KiB, each written whole: a torn
// write damages the block that was being written and no other. In every format
// a block begins with its magic and format number and ends in its checksum, so
// that a block of a newer format is distinguished from a damaged one. All
// numbers are big-endian.
//
//	offset  size
//	0       8    magic
//	8       4    format
//	4064    32   BLAKE3-256 of bytes 0 to 4063 and of the block's number in its file (8 bytes)
const (
	blockSize   = 4096
	blockSum    = blockSize - 32
	blockFormat = 1
)

// blockState is the condition of a block.
type blockState int

const (
	blockBad       blockState = iota // torn, damaged, or something else
	blockGood                        // of this format
	blockNewer                       // of a newer format
	blockUnwritten                   // all zeros, as created
)

// seal completes b, the block with the given number: magic, format, checksum.
func seal(b []byte, magic string, number int) {
	copy(b, magic)
	binary.BigEndian.PutUint32(b[8:], blockFormat)
	copy(b[blockSum:], blockHash(b, number))
}

// judgeBlock returns the condition of b, the block with the given number.
func judgeBlock(b []byte, magic string, number int) blockState {
	if string(b[:8]) != magic {
		for _, c := range b {
			if c != 0 {
				return blockBad
			}
		}
		return blockUnwritten
	}
	if string(b[blockSum:]) != string(blockHash(b, number)) {
		return blockBad
	}
	switch format := binary.BigEndian.Uint32(b[8:]); {
	case format > blockFormat:
		return blockNewer
	case format < blockFormat:
		return blockBad
	}
	return blockGood
}

func blockHash(b []byte, number int) []byte {
	var covered [blockSum + 8]byte
	copy(covered[:], b[:blockSum])
	binary.BigEndian.PutUint64(covered[blockSum:], uint64(number))
	h := record.HashOf(covered[:])
	return h[:]
}
