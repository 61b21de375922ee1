// Package journal keeps a node's history: an append-only sequence of records,
// chained by hash. It knows records (package record) and no event kinds.
//
// The newest records are in the tail, one preallocated file that is written in
// place. Older records have settled in Pebble (package store). An ordinary
// boot reads the tail and never opens Pebble.
//
// # The life of a record
//
//	Create          journal.new/ with a tail that holds record 1 and an empty
//	                Pebble, renamed to journal/, then the head file
//	OpenView        reads head file, tail and a directory listing; it opens
//	                Pebble only if something differs from the tail's header.
//	                CheckHead judges the head file
//	OpenWriter      continues from a view
//	Writer.Append   the frame in the tail, synced; then the head file's older
//	                slot, synced: the record is acknowledged, and nothing may
//	                depend on it before
//	Writer.Settle   the tail's records into Pebble, flushed; then the tail's
//	                other header with a new generation, synced: from then on
//	                the frames of older generations are ignored
//
// # Rules that look odd
//
// Each prevents a crash from losing an acknowledged record, or a boot from
// refusing an honest node:
//
//   - One frame is written per sync: a torn frame is therefore always the last
//     one, and a good frame after a bad one is damage.
//   - A run that finds its own boot id in the newest record writes header,
//     frames from the head on, and slot again: the page cache is not the disk
//     (OpenWriter).
//   - A slot is written only for a record that this run appends; it
//     acknowledges the records before it too.
//   - Only acknowledged records settle, and all of them are written again even
//     if Pebble already has them.
//   - A first frame of a newer generation than any good header replaces the
//     header that was lost, if the record before it has settled.
//
// # What it relies on
//
// One process appends at a time: the caller holds a lock. A file's bytes are
// durable after a sync, a name after a sync of its directory, and a rename is
// atomic. A write of an aligned block damages no other block. It detects damage
// and lost history, not a forger who can rewrite the whole partition: for that,
// hashes must have left the node.
package journal
