package interop

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/gowebpki/jcs"
)

// The stored bytes are the canonical form of RFC 8785, by an implementation
// that is not ours.
func TestCanonicalBytes(t *testing.T) {
	n := livedNode(t)
	n.Sh(`edgectl journal export --format jsonl --out h.jsonl`)
	for _, r := range records(t, filepath.Join(n.Dir, "h.jsonl")) {
		canonical, err := jcs.Transform(r.raw)
		if err != nil || !bytes.Equal(canonical, r.raw) {
			t.Errorf("record %d, %s: %v\n%s\n%s", r.Seq, r.Type, err, r.raw, canonical)
		}
	}
}
