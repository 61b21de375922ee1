// Package projections turns the state of a journal into the files that people
// and daemons read, holds the files found on the disk against that state, and
// puts them right crash-safely.
//
// There are three files. Each is a view of the journal, never its source:
//
//	bootstrap/os_fingerprint.json   of the baseline event
//	epoch/current/evidence.json     of the newest EpochRotated
//	epoch/previous/evidence.json    of the EpochRotated before it
//
// # Form
//
// A file is JSON, indented by two spaces, with a final newline; its members
// stand in the order of the documentation. Its member journal names the event
// that the file was projected from, and holds
//
//	digest = hex(BLAKE3-256(RFC 8785 form of the file without journal.digest))
//
// so that an edit can be told from an honest file of another history. The
// digest is no secret: a right one proves nothing, a wrong one proves an edit.
// A fingerprint names its event by seq and hash; evidence, which is rendered
// before its event's own hash is of any use to a reader, by seq and prev (the
// hash of the record before).
//
// # Order of a publication
//
// [Publish] makes the evidence durable first and the fingerprint last: once
// the fingerprint names an epoch, that epoch's evidence is there. Every
// directory it needs is made beside the final name, flushed, and renamed into
// place, so that no final name ever shows half a file. A crash anywhere leaves
// files from which the next Publish reaches the same bytes.
package projections
