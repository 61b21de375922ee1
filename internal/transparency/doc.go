// Package transparency makes commitments to a journal that an auditor can hold
// off the node, and proofs against them that other people's software verifies.
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
// Nothing of the tree is kept on the node: the records are there, and hashing
// a million of them takes less than a second.
package transparency
