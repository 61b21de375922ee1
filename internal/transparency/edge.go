package transparency

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Edge holds the hashes of the complete subtrees of a tree, the largest first: one
// for each bit of the number of leaves. It is all that is needed to add leaves. The
// zero value is that of no leaves.
type Edge struct {
	Hashes []tlog.Hash
	Count  uint64 // leaves, or subtrees of one size
}

// Push adds the hash of the next leaf.
func (e *Edge) Push(h tlog.Hash) {
	e.Count++
	for range bits.TrailingZeros64(e.Count) {
		h = tlog.NodeHash(e.Hashes[len(e.Hashes)-1], h)
		e.Hashes = e.Hashes[:len(e.Hashes)-1]
	}
	e.Hashes = append(e.Hashes, h)
}

// Root returns the hash over all leaves. There must be one.
func (e *Edge) Root() tlog.Hash {
	h := e.Hashes[len(e.Hashes)-1]
	for i := len(e.Hashes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.Hashes[i], h)
	}
	return h
}

// subtree returns the hash over the hashes of adjacent subtrees of equal size.
// There must be one. Their number need not be a power of two: the tree of RFC 6962
// splits at powers of two, and so between them.
func subtree(hashes []tlog.Hash) tlog.Hash {
	var e Edge
	for _, h := range hashes {
		e.Push(h)
	}
	return e.Root()
}
