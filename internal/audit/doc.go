// Package audit writes and verifies audit bundles. A bundle is one file with a
// node's history and everything that is needed to verify it.
//
// # Bundle
//
// A bundle is a tar archive in a Zstandard frame. Its files are under audit/:
//
//	bundle.json              format, journal, node, number of records
//	B3SUMS                   BLAKE3 of every other file, sorted by name
//	README.txt               says what the files are and how to check them
//	check.sh                 calls b3sum and verify.py
//	checkpoint               signed note over exactly these records
//	epochs/N/                evidence.json, manifest.json, manifest.json.sig
//	keys/                    public keys; never a private one
//	predecessor.jsonl        records that a salvage kept of the predecessor
//	predecessor.2.jsonl      records of the predecessor's predecessor, and so on
//	records.jsonl            the records, one a line
//	verify.py                checks all of it without edgectl
//
// The files after the first two are sorted by the bytes of their names. Times
// are that of the newest record, owner and group are 0: the same history and
// checkpoint make the same bytes.
//
// # Verdict
//
// Verify reports whether a history is intact, extended, rewritten, truncated or
// salvaged since an older checkpoint, bundle or export. That must have left the
// node before: an attacker with the node's key can sign any history.
package audit
