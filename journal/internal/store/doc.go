// Package store keeps the settled records of a journal in Pebble, and knows
// everything about Pebble's files.
//
// # Keys
//
//	seq, 8 bytes big-endian                   a record's bytes
//	8 × 0xff, 's', seq, 8 bytes big-endian    a snapshot at that record
//
// Whatever settles sorts after all older records, and every table reaches up
// to a snapshot: so a new table overlaps only the last of the old ones, and a
// compaction rewrites no more than that.
//
// # What Pebble alone does not give
//
// Pebble creates a new, empty database and deletes the old tables if a marker
// is missing; it takes damage in a manifest for its end; it ends the process at
// a write error; it reads an OPTIONS file whole, and a log that somebody
// planted. So:
//
//   - Pebble is shown markers, manifests and tables only. OPTIONS and temporary
//     files exist in memory; there are no logs (DisableWAL).
//   - Markers and the manifest's size are checked before each open, and a
//     read-only open must find what the journal says has settled before one for
//     writing is made ([Settle]).
//   - Its filesystem is an adapter (files) that turns a failed write into an
//     error of the call that caused it (fault).
//   - If one of its files is lost Pebble opens none: a salvage reads each table
//     by itself ([Remains]).
package store
