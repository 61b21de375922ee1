package export

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/journald"
	"github.com/autonomyops/edged/journal/record"
)

// maxMicros is the latest time that systemd accepts, in the year 3111. A later
// time, or one before 1970, is replaced by the nearest that it accepts; EDGE_TIME
// and EDGE_RECORD hold the recorded one.
const maxMicros = 1<<55 - 1

// Identifier is the SYSLOG_IDENTIFIER of every entry.
const Identifier = journald.Identifier

// journaldEncoder writes the Journal Export Format of systemd: a line per field,
// an empty line after each entry. A value that does not fit on a line is written
// with its length.
type journaldEncoder struct {
	lines
	names [columns]string // of the fields for the columns
}

func newJournald(w io.Writer) (encoder, error) {
	e := &journaldEncoder{lines: lines{w: w}}
	for c, name := range columnNames() {
		e.names[c] = "EDGE_" + strings.ToUpper(name)
	}
	return e, nil
}

func (e *journaldEncoder) prepare(b *batch) {
	w := entryWriter{buf: b.out, names: e.names}
	for i := range b.recs {
		w.entry(&b.recs[i])
	}
	b.out = w.buf
}

// entryWriter writes the entries of one batch.
type entryWriter struct {
	buf   []byte
	names [columns]string
	boot  struct{ text, id string } // the last boot id, and its 32 digits
	kind  struct{ name, id string } // the last kind, and its MESSAGE_ID
}

// entry writes one record. The address fields, with two underscores, must be
// first. The record's bytes are last, because a pager shows fields in order.
func (e *entryWriter) entry(r *row) {
	e.number("__REALTIME_TIMESTAMP", min(max(r.Time.UnixMicro(), 1), maxMicros))
	e.number("__MONOTONIC_TIMESTAMP", min(max(r.UptimeMS, 1), maxMicros/1000)*1000)
	e.line("_BOOT_ID", e.bootID(r.BootID))
	e.line("MESSAGE", message(r))
	e.line("MESSAGE_ID", e.messageID(r.Type))
	e.number("PRIORITY", int64(priority(r.Type)))
	e.line("SYSLOG_IDENTIFIER", Identifier)
	e.number("EDGE_SEQ", int64(r.Seq))
	field(e, "EDGE_TYPE", r.Type)
	e.number("EDGE_EPOCH", int64(r.Epoch))
	field(e, "EDGE_NODE", r.Node)
	e.buf = append(r.Time.AppendFormat(append(e.buf, "EDGE_TIME="...), record.TimeLayout), '\n')
	field(e, "EDGE_BOOT_ID", r.BootID)
	field(e, "EDGE_RUN", r.Run)
	e.line("EDGE_ID", r.ID)
	e.line("EDGE_JOURNAL", r.Journal)
	for c := range columns {
		switch v := &r.cells[c]; {
		case !v.set:
		case c.whole():
			e.number(e.names[c], v.n)
		default:
			field(e, e.names[c], v.text)
		}
	}
	e.hash("EDGE_PREV", r.Prev)
	e.hash("EDGE_HASH", r.Hash)
	if bytes.IndexByte(r.Raw, 0x7f) < 0 { // canonical JSON escapes the other control characters
		e.buf = append(append(append(e.buf, "EDGE_RECORD="...), r.Raw...), '\n')
	} else {
		field(e, "EDGE_RECORD", r.Raw)
	}
	e.buf = append(e.buf, '\n')
}

// line writes a value that holds no control characters.
func (e *entryWriter) line(name, value string) {
	e.buf = append(append(append(append(e.buf, name...), '='), value...), '\n')
}

func (e *entryWriter) number(name string, n int64) {
	e.buf = append(append(e.buf, name...), '=')
	e.buf = append(strconv.AppendInt(e.buf, n, 10), '\n')
}

func (e *entryWriter) hash(name string, h record.Hash) {
	e.buf = append(append(e.buf, name...), '=')
	e.buf = append(appendHex(e.buf, h[:]), '\n')
}

// field writes a text. One that holds a control character other than a tab is
// written with its length.
func field[T ~string | ~[]byte](e *entryWriter, name string, value T) {
	e.buf = append(e.buf, name...)
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			e.buf = append(e.buf, '\n')
			e.buf = binary.LittleEndian.AppendUint64(e.buf, uint64(len(value)))
			e.buf = append(append(e.buf, value...), '\n')
			return
		}
	}
	e.buf = append(append(append(e.buf, '='), value...), '\n')
}

// bootID returns a boot id as the 32 digits that systemd requires. If text is not
// a UUID they are the first half of its BLAKE3: systemd refuses an entry without
// a boot id.
func (e *entryWriter) bootID(text string) string {
	if e.boot.id != "" && e.boot.text == text {
		return e.boot.id
	}
	e.boot.text = text
	if id, err := uuid.Parse(text); err == nil && len(text) == 36 && id != uuid.Nil {
		e.boot.id = hex.EncodeToString(id[:])
	} else {
		sum := blake3.Sum256([]byte(text))
		e.boot.id = hex.EncodeToString(sum[:16])
	}
	return e.boot.id
}

func (e *entryWriter) messageID(kind string) string {
	if e.kind.id == "" || e.kind.name != kind {
		e.kind.name, e.kind.id = kind, MessageID(kind)
	}
	return e.kind.id
}

// message returns the line that a pager shows.
func message(r *row) string {
	kind := display.Clean(r.Type)
	words := display.Payload(r.Record)
	if words == "" {
		return kind
	}
	return kind + ": " + words
}
