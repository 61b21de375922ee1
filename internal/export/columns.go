package export

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// column is a column that repeats a member of data.
type column int

// The columns of data, in the order of the formats.
const (
	colRole column = iota
	colCause
	colAttempt
	colCompositeHash
	colUnameRelease
	colManifestHash
	colManifestSerial
	colOp
	colDst
	colBytes
	colBLAKE3
	colDurationMS
	colExitCode
	colStage
	colPath
	colReason
	columns // their number
)

// columnNames returns the names of the columns in the formats.
func columnNames() [columns]string {
	return [columns]string{"role", "cause", "attempt", "composite_hash", "uname_release", "manifest_hash", "manifest_serial",
		"op", "dst", "bytes", "blake3", "duration_ms", "exit_code", "stage", "path", "reason"}
}

// whole reports whether a column holds whole numbers; the others hold text.
func (c column) whole() bool {
	switch c {
	case colAttempt, colManifestSerial, colBytes, colDurationMS, colExitCode:
		return true
	}
	return false
}

// cell is one value: absent, a text or a whole number.
type cell struct {
	set  bool
	text []byte
	n    int64
}

// cells are the values of the columns for one record.
type cells [columns]cell

// fill sets the columns from a record's data. A member that does not have its
// column's type leaves the column empty: another kind may use the same name, and
// data holds all members.
func (c *cells) fill(data []byte) {
	*c = cells{}
	eachMember(data, func(name, value []byte) {
		if col := memberColumn(name); col != columns {
			c.put(col, value)
			return
		}
		switch string(name) {
		case "inputs":
			eachMember(value, func(name, value []byte) {
				if string(name) == "uname_release" {
					c.put(colUnameRelease, value)
				}
			})
		case "os_fingerprint":
			eachMember(value, func(name, value []byte) {
				if string(name) == "composite_hash" {
					c.put(colCompositeHash, value)
				}
			})
		}
	})
}

// memberColumn returns the column of a member of data, or columns if it has none.
func memberColumn(name []byte) column {
	switch string(name) {
	case "role":
		return colRole
	case "cause":
		return colCause
	case "attempt":
		return colAttempt
	case "composite_hash":
		return colCompositeHash
	case "manifest_hash":
		return colManifestHash
	case "manifest_serial", "serial":
		return colManifestSerial
	case "op":
		return colOp
	case "dst":
		return colDst
	case "bytes":
		return colBytes
	case "blake3":
		return colBLAKE3
	case "duration_ms":
		return colDurationMS
	case "exit_code":
		return colExitCode
	case "stage":
		return colStage
	case "path":
		return colPath
	case "reason":
		return colReason
	}
	return columns
}

func (c *cells) put(col column, value []byte) {
	if col.whole() {
		if n, ok := wholeNumber(value); ok {
			c[col] = cell{set: true, n: n}
		}
		return
	}
	if text, ok := textOf(value); ok {
		c[col] = cell{set: true, text: text}
	}
}

// textOf reads a JSON string.
func textOf(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return text, err == nil
}

// wholeNumber reads a whole number in canonical JSON, of up to 16 digits.
func wholeNumber(value []byte) (n int64, ok bool) {
	digits := bytes.TrimPrefix(value, []byte("-"))
	if len(digits) == 0 || len(digits) > 16 {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int64(d-'0')
	}
	if len(digits) < len(value) {
		n = -n
	}
	return n, true
}
