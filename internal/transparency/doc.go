// Package transparency makes commitments to a journal, which an auditor can keep
// off the node, and proofs against them, which other software can verify.
//
// A journal is an RFC 6962 Merkle tree: SHA-256, the data of leaf seq-1 is the
// bytes of record seq. Trees and proofs are those of golang.org/x/mod/sumdb/tlog,
// signatures those of golang.org/x/mod/sumdb/note.
//
//	checkpoint     c2sp.org/tlog-checkpoint, no extension lines
//	inclusion      c2sp.org/tlog-proof@v1
//	tiles          c2sp.org/tlog-tiles
//	consistency    our own text form around RFC 6962's hashes (Consistency)
//	key rotation   a signed note with the lines of both keys (Rotation)
//
// The tree is not stored on the node: it is computed from the records, in less
// than a second for a million of them.
package transparency
