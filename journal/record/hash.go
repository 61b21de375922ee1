package record

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/zeebo/blake3"
)

// Hash is a BLAKE3-256 digest. The first record's prev member is the zero Hash.
type Hash [32]byte

// HashOf returns the BLAKE3-256 of b.
func HashOf(b []byte) Hash { return blake3.Sum256(b) }

// String returns 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the zero Hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads the form that String returns. Upper-case digits and any other
// length are errors, because a hash has only one spelling.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if !scanHash(s, &h) {
		return Hash{}, fmt.Errorf("parse hash %.80q: not 64 lower-case hexadecimal digits", s)
	}
	return h, nil
}

// scanHash is ParseHash for strings and bytes; it reports only whether s is a hash.
func scanHash[T ~string | ~[]byte](s T, h *Hash) bool {
	if len(s) != 2*len(h) {
		return false
	}
	var digits [2 * len(h)]byte
	copy(digits[:], s)
	for i := 0; i < len(h); i += 4 {
		w := binary.LittleEndian.Uint64(digits[2*i:])
		if !hexWord(w) {
			return false
		}
		binary.LittleEndian.PutUint32(h[i:], unhexWord(w))
	}
	return true
}

// hexDigit returns 0–15, or 255 if c is not a lower-case hexadecimal digit.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
