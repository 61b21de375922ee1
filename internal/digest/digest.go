// Package digest computes the name that records, projections and manifests use for
// content: the lower-case hex of its BLAKE3-256, 64 digits.
package digest

import (
	"encoding/hex"

	"github.com/zeebo/blake3"
)

// Of returns the digest of data.
func Of(data []byte) string {
	sum := blake3.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Valid reports whether s is a digest.
func Valid(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && hex.EncodeToString(raw) == s
}
