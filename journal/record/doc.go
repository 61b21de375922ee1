// Package record defines the form of a journal's records: it encodes an event,
// and it decodes and checks the bytes of a record.
//
// A record is a JSON object in the canonical form of RFC 8785, at most 65,535
// bytes, with exactly the members boot_id, crit, data, epoch, id, journal,
// node, prev, run, seq, time, type, uptime_ms and v. Its hash is the
// BLAKE3-256 of those bytes, and prev is the hash of the record before it. Whole
// numbers are at most 2^53-1, times have nine digits of nanoseconds.
package record
