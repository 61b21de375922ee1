package historytest

import "slices"

// The form of a journal's tail and head file, for tests that damage them
// (docs/formats.md). Both consist of blocks.
const (
	BlockLen   = 4096 // bytes
	SnapBlocks = 64   // blocks of a snapshot area; the first begins at block 2
	FirstFrame = 2 + 2*SnapBlocks
)

// Blocks returns the numbers of the blocks of a tail or head file that are not
// all zeros.
func Blocks(data []byte) (used []int) {
	zeros := make([]byte, BlockLen)
	for n := range len(data) / BlockLen {
		if !slices.Equal(data[n*BlockLen:][:BlockLen], zeros) {
			used = append(used, n)
		}
	}
	return used
}

// RotFrames flips a bit in every block of a tail that holds a part of a record.
func RotFrames(tail []byte) {
	for _, n := range Blocks(tail) {
		if n >= FirstFrame {
			tail[n*BlockLen+BlockLen/4] ^= 1
		}
	}
}
