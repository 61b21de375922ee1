package record

import "encoding/binary"

// These functions handle eight bytes at a time, because every record of a history
// passes through them. The lowest byte of a word is the first of the text.

const (
	lows = 0x0101010101010101 // the lowest bit of each byte
	tops = 0x8080808080808080 // the highest
)

// atLeast marks the top bit of each byte of w that is c or more; both are
// ASCII.
func atLeast(w uint64, c byte) uint64 { return w + lows*uint64(0x80-c) }

// hexWord reports whether w is eight lower-case hexadecimal digits.
func hexWord(w uint64) bool {
	digit := atLeast(w, '0') &^ atLeast(w, '9'+1)
	letter := atLeast(w, 'a') &^ atLeast(w, 'f'+1)
	return w&tops == 0 && (digit|letter)&tops == tops
}

// unhexWord returns the four bytes that eight hexadecimal digits stand for, in
// their order in memory.
func unhexWord(w uint64) uint32 {
	n := w&(lows*0x0f) + (w>>6&lows)*9
	n = (n<<4 | n>>8) & 0x00ff00ff00ff00ff
	n = (n | n>>8) & 0x0000ffff0000ffff
	return uint32(n | n>>16)
}

// isUUID reports whether u is a UUID of this version. Version 0 accepts any version and variant.
func isUUID(u []byte, version byte) bool {
	if len(u) != 36 || u[8] != '-' || u[13] != '-' || u[18] != '-' || u[23] != '-' {
		return false
	}
	le := binary.LittleEndian
	if !hexWord(le.Uint64(u)) || !hexWord(le.Uint64(u[28:])) ||
		!hexWord(uint64(le.Uint32(u[9:]))|uint64(le.Uint32(u[14:]))<<32) ||
		!hexWord(uint64(le.Uint32(u[19:]))|uint64(le.Uint32(u[24:]))<<32) {
		return false
	}
	variant := hexDigit(u[19])
	return version == 0 || u[14] == version && variant >= 8 && variant <= 11
}
