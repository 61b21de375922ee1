// Package projections renders the files that people and daemons read from the
// state of a journal, compares the files on the disk with that state, and
// publishes them crash-safely.
//
// There are three files. Each is a view of the journal, never its source:
//
//	bootstrap/os_fingerprint.json   of the baseline event
//	epoch/current/evidence.json     of the newest EpochRotated
//	epoch/previous/evidence.json    of the EpochRotated before it
//
// # Form
//
// A file is JSON, indented by two spaces, with a final newline; its members are in
// the order of the documentation. Its member journal names the event
// that the file was projected from, and holds
//
//	digest = hex(BLAKE3-256(RFC 8785 form of the file without journal.digest))
//
// so that an edited file is distinguished from an honest file of another history.
// The digest is not secret: a right one proves nothing, a wrong one proves an
// edit. A fingerprint names its event by seq and hash, evidence by seq and prev
// (the hash of the record before).
//
// # Order of a publication
//
// [Publish] makes the evidence durable first and the fingerprint last: when the
// fingerprint names an epoch, that epoch's evidence is in place. Every file is
// written under a temporary name, flushed, and renamed, so that no final name ever
// shows half a file. A crash at any point leaves files from which the next Publish
// reaches the same bytes.
package projections
