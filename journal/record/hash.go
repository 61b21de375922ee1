package record

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/zeebo/blake3"
)

// Hash is a BLAKE3-256 digest. The zero Hash is what the first record's prev
// member names.
type Hash [32]byte

// HashOf digests b.
func HashOf(b []byte) Hash { return blake3.Sum256(b) }

// String gives 64 lower-case hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is the zero Hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// ParseHash reads what String gives; upper-case digits and any other length
// are errors, because a hash has one spelling only.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if !scanHash(s, &h) {
		return Hash{}, fmt.Errorf("parse hash %.80q: not 64 lower-case hexadecimal digits", s)
	}
	return h, nil
}

// scanHash is ParseHash for either kind of text, without an error to make.
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

// hexDigit gives 0–15, or 255 for what is not a lower-case digit.
func hexDigit(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
