// Package digest names contents as records, projections and manifests do: by
// the lower-case hex of their BLAKE3-256, 64 digits.
package digest

import (
	"encoding/hex"

	"github.com/zeebo/blake3"
)

// Of is the name of data.
func Of(data []byte) string {
	sum := blake3.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Valid reports whether s is such a name.
func Valid(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == 32 && hex.EncodeToString(raw) == s
}
