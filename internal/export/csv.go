package export

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/autonomyops/edged/journal/record"
)

// csvEncoder writes RFC 4180: a header, lines that end in CR LF, cells in quotes
// if necessary. Two reversible rules make the file safe to open:
//
//   - Control characters and backslashes in a text are escaped as in JSON, so
//     that a record is always one line.
//   - A text that a spreadsheet could read as a formula, or that begins with an
//     apostrophe, gets an apostrophe in front.
//
// An absent value is an empty cell; an empty text is an empty cell in quotes.
type csvEncoder struct{ lines }

// envelopeColumns returns the names of the columns before those of data. data
// itself is last.
func envelopeColumns() []string {
	return []string{"v", "journal", "seq", "id", "type", "crit", "time", "boot_id", "uptime_ms", "run", "node", "epoch", "prev", "hash"}
}

func newCSV(w io.Writer) (encoder, error) {
	names := columnNames()
	header := slices.Concat(envelopeColumns(), names[:], []string{"data"})
	return &csvEncoder{lines{w: w, header: strings.Join(header, ",") + "\r\n"}}, nil
}

func (e *csvEncoder) prepare(b *batch) {
	for i := range b.recs {
		b.out = appendCSV(b.out, &b.recs[i])
	}
}

func appendCSV(b []byte, r *row) []byte {
	b = append(strconv.AppendInt(b, int64(r.V), 10), ',')
	b = append(append(b, r.Journal...), ',')
	b = append(strconv.AppendUint(b, r.Seq, 10), ',')
	b = append(append(b, r.ID...), ',')
	b = append(appendCell(b, r.Type), ',')
	b = append(strconv.AppendBool(b, r.Crit), ',')
	b = append(r.Time.AppendFormat(b, record.TimeLayout), ',')
	b = append(appendCell(b, r.BootID), ',')
	b = append(strconv.AppendInt(b, r.UptimeMS, 10), ',')
	b = append(appendCell(b, r.Run), ',')
	b = append(appendCell(b, r.Node), ',')
	b = append(strconv.AppendUint(b, r.Epoch, 10), ',')
	b = append(appendHex(b, r.Prev[:]), ',')
	b = append(appendHex(b, r.Hash[:]), ',')
	for c := range columns {
		switch v := &r.cells[c]; {
		case !v.set:
		case c.whole():
			b = strconv.AppendInt(b, v.n, 10)
		default:
			b = appendCell(b, v.text)
		}
		b = append(b, ',')
	}
	b = appendQuoted(b, r.Data)
	return append(b, '\r', '\n')
}

// appendCell appends a text as a cell.
func appendCell[T ~string | ~[]byte](b []byte, text T) []byte {
	if len(text) == 0 {
		return append(b, '"', '"')
	}
	plain := true
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == ',' || c == '\\' {
			plain = false
			break
		}
	}
	formula := isFormula(string(text[:min(3, len(text))]))
	if plain && !formula {
		return append(b, text...)
	}
	var cell []byte
	if formula {
		cell = append(cell, '\'')
	}
	return appendQuoted(b, appendEscaped(cell, string(text)))
}

// isFormula reports whether text needs an apostrophe in front: it begins as a
// formula of a spreadsheet does, or with an apostrophe. Some spreadsheets also
// accept full-width signs. A tab or line break is escaped, and cannot begin a
// formula.
func isFormula(text string) bool {
	switch text[0] {
	case '=', '+', '-', '@', '\'':
		return true
	}
	for _, sign := range []string{"＝", "＋", "－", "＠"} {
		if strings.HasPrefix(text, sign) {
			return true
		}
	}
	return false
}

// appendEscaped appends a text with control characters and backslashes escaped as
// in JSON.
func appendEscaped(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\':
			b = append(b, '\\', '\\')
		case c >= ' ':
			b = append(b, c)
		default:
			if short := strings.IndexByte("\b\t\n\f\r", c); short >= 0 {
				b = append(b, '\\', "btnfr"[short])
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
	}
	return b
}

// appendQuoted appends a cell in quotes. Quotes within it are doubled.
func appendQuoted(b, cell []byte) []byte {
	b = append(b, '"')
	for {
		i := bytes.IndexByte(cell, '"')
		if i < 0 {
			break
		}
		b = append(append(b, cell[:i+1]...), '"')
		cell = cell[i+1:]
	}
	return append(append(b, cell...), '"')
}

func appendHex(b, sum []byte) []byte {
	const hex = "0123456789abcdef"
	for _, c := range sum {
		b = append(b, hex[c>>4], hex[c&15])
	}
	return b
}
