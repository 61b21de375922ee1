// Package journal keeps a node's history: an append-only sequence of records,
// chained by hash, on Pebble. It knows records and nothing of what they mean.
//
// # The life of a record
//
//	Create            journal.new/ with record 1, then journal/, then the head file
//	OpenView          audit, then read; CheckHead judges the head file
//	OpenWriter        goes on from a view, mending the head file
//	Writer.Append     one synced batch {record, head}, then the head file's
//	                  next slot, synced: the record is acknowledged here, and
//	                  nothing may depend on it before
//	Writer.Close      all records into tables; logs are gone at rest
//
// # Record
//
// A record is a JSON object in the canonical form of RFC 8785, at most 65,535
// bytes, with exactly the members boot_id, crit, data, epoch, id, journal,
// node, prev, run, seq, time, type, uptime_ms and v. Its hash is the
// BLAKE3-256 of those bytes, and prev the hash of the record before it. Whole
// numbers are at most 2^53-1, times have nine digits of nanoseconds.
//
// # Keys in Pebble
//
//	seq, 8 bytes big-endian           a record's bytes
//	seq, 8 bytes big-endian, 's'      a snapshot of the state at that record
//	8 × 0xff, "head"                  the newest record
//	8 × 0xff, "ladder"                which snapshots there are
//
// A snapshot is version (1 byte, 1), BLAKE3-256 of seq and data (32 bytes),
// data. The head value is version (1 byte, 1), journal id (16), seq (8), hash
// (32). The ladder is version (1 byte, 1), then the ascending seqs, each as
// the uvarint of its distance from the one before.
//
// # Head file
//
// 8 KiB with two slots, written in turn in place, so that a torn write costs
// one slot and never both. All numbers are big-endian.
//
//	offset        size
//	0             128   slot 0
//	4096          128   slot 1
//
//	in a slot
//	0             8     "EDGEHEAD"
//	8             4     format, 1
//	12            4     0
//	16            16    journal id
//	32            8     seq
//	40            32    hash of that record
//	72            24    0
//	96            32    BLAKE3-256 of bytes 0 to 95
//
// Magic, format and checksum stand where they stand in every format, so that
// a slot of a newer one is known from a damaged one.
//
// # What Pebble alone does not give
//
// Pebble takes damage in a log or manifest for its end, creates a new database
// where a marker is missing, and ends the process at a write error. So logs,
// manifest and markers are audited before each open (audit, auditLog), and
// Pebble's filesystem is an adapter (store) that turns a failed write into an
// error of the call that caused it (fault). While records are in a log and
// nowhere else, an empty file beside it says so (unrested). Where one of its
// files is lost Pebble opens none: a salvage reads each by itself (remains).
//
// # What it relies on
//
// One process appends at a time: the caller holds a lock. A file's bytes are
// durable after a sync, a name after a sync of its directory, and a rename is
// atomic. It detects damage and lost history, not a forger who can rewrite the
// whole partition: for that, hashes must have left the node.
package journal
