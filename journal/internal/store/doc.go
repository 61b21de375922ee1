// Package store keeps the settled records of a journal in Pebble, and knows
// everything about Pebble's files.
//
// # Keys
//
//	seq, 8 bytes big-endian                   a record's bytes
//	8 × 0xff, 's', seq, 8 bytes big-endian    a snapshot at that record
//
// Newly settled records sort after all older ones, and every table reaches up to
// a snapshot: so a new table overlaps only the last of the old ones, and a
// compaction rewrites no more than that.
//
// # What Pebble alone does not guarantee
//
// If a marker is missing, Pebble creates a new, empty database and deletes the
// old tables. It reads a damaged manifest as one that ends there. It ends the
// process at a write error. It reads an OPTIONS file whole, and a log that
// somebody planted. So:
//
//   - Pebble is shown markers, manifests and tables only. OPTIONS and temporary
//     files exist in memory; there are no logs (DisableWAL).
//   - Markers and the manifest's size are checked before each open. Before an
//     open for writing, a read-only open must find the record that the tail's
//     header names as the newest settled one ([Settle]).
//   - Its filesystem is an adapter (files) that turns a failed write into an
//     error of the call that caused it (fault).
//   - If one of its files is lost, Pebble opens none: a salvage reads each table
//     by itself ([Remains]).
package store
