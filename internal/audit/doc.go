// Package audit makes and judges audit bundles: one file that holds a node's
// history and all that is needed to check it, for people who trust nothing but
// arithmetic.
//
// # Bundle
//
// A bundle is a tar archive in a Zstandard frame, its files under audit/:
//
//	bundle.json              what it is, of which journal, how many records
//	B3SUMS                   BLAKE3 of every other file, in the order of names
//	README.txt               for people
//	check.sh                 calls b3sum and verify.py
//	checkpoint               signed note over exactly these records
//	epochs/N/                evidence.json, manifest.json, manifest.json.sig
//	keys/                    public keys; never a private one
//	predecessor.jsonl        what a salvage kept of the journal before
//	predecessor.2.jsonl      and of the one before that, and so on
//	records.jsonl            the records, one a line
//	verify.py                checks all of it without edgectl
//
// After the first two the files follow in the order of their names' bytes.
// Times are the newest record's, owner and group are 0: the same history,
// signed by the same key, gives the same bytes.
//
// # Verdict
//
// Verify says whether a history is intact, was extended, rewritten, truncated
// or salvaged since an older checkpoint, bundle or export. Only something that
// had left the node can tell: whoever holds the node's key can sign anything.
package audit
