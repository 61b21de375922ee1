package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// made is a history in memory.
type made struct {
	raw     [][]byte
	running *bool // an iteration goes on
}

func (m made) Tip() record.Tip { return record.Tip{Seq: uint64(len(m.raw))} }

func (m made) RawRecords(from, to uint64) iter.Seq2[journal.RawRecord, error] {
	return func(yield func(journal.RawRecord, error) bool) {
		if m.running != nil {
			*m.running = true
			defer func() { *m.running = false }()
		}
		scratch := make([]byte, 0, record.MaxLen) // valid until the next step
		for i := from; i <= to; i++ {
			scratch = append(scratch[:0], m.raw[i-1]...)
			if !yield(journal.RawRecord{Seq: i, Raw: scratch}, nil) {
				return
			}
		}
	}
}

const journalID = "2716a3ec-1c1e-4b0c-8a54-0d1de6f7a001"

// history chains entries, and sets the fields that an entry does not have.
func newHistory(t testing.TB, entries ...record.Entry) made {
	t.Helper()
	var m made
	var prev record.Hash
	for i, e := range entries {
		if e.ID == (uuid.UUID{}) {
			e.ID = uuid.UUID{6: 0x70, 8: 0x80, 14: byte(i >> 8), 15: byte(i)}
		}
		if e.Type == "" {
			e.Type = "Example"
		}
		if e.Time.IsZero() {
			e.Time = time.Date(2026, 3, 4, 10, 0, i, 123456789, time.UTC)
		}
		if e.BootID == "" {
			e.BootID = "0b7f4d5e-6a3e-4a7e-9d3e-111111111111"
		}
		if e.Data == nil {
			e.Data = []byte(`{"v":1}`)
		}
		raw, err := record.Encode(journalID, uint64(i+1), prev, e)
		historytest.Check(t, err)
		m.raw, prev = append(m.raw, raw), record.HashOf(raw)
	}
	return m
}

// data returns an entry with payload v.
func data(t testing.TB, v map[string]any) record.Entry {
	t.Helper()
	raw, err := json.Marshal(v)
	historytest.Check(t, err)
	return record.Entry{Data: raw}
}

// exported returns an export, which must succeed.
func exported(t testing.TB, src export.Source, format string) []byte {
	t.Helper()
	var out bytes.Buffer
	n, err := export.Write(&out, src, format, export.Options{})
	historytest.Check(t, err)
	if n != src.Tip().Seq {
		t.Fatalf("%d records of %d", n, src.Tip().Seq)
	}
	return out.Bytes()
}

// many returns a history of several batches, with payloads of every form.
func many(t testing.TB, n int) made {
	t.Helper()
	entries := make([]record.Entry, n)
	for i := range entries {
		switch i % 4 {
		case 0:
			entries[i] = data(t, map[string]any{"v": 1, "exit_code": i, "stage": "cert", "path": "node.crt", "reason": "expired"})
		case 1:
			entries[i] = data(t, map[string]any{"v": 1, "role": "match", "composite_hash": "ab", "inputs": map[string]any{"uname_release": "6.8"}})
		case 2:
			entries[i] = data(t, map[string]any{"v": 1, "os_fingerprint": map[string]any{"composite_hash": "cd"}, "duration_ms": 60, "manifest_serial": nil})
		}
	}
	return newHistory(t, entries...)
}

func TestSameTwiceAndInOrder(t *testing.T) {
	src := many(t, 1000)
	for _, format := range export.Formats() {
		a, b := exported(t, src, format), exported(t, src, format)
		if len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s: %d and %d bytes, not the same", format, len(a), len(b))
		}
	}
}

// failing accepts some bytes and then fails.
type failing struct{ left int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// An export that ends early has ended its reader: the source may be closed.
func TestEndsEarly(t *testing.T) {
	src := many(t, 3000)
	src.running = new(bool)
	for _, format := range export.Formats() {
		if _, err := export.Write(&failing{left: 1000}, src, format, export.Options{}); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", format, err)
		}
		if *src.running {
			t.Errorf("%s: still reading", format)
		}
	}
}

// Every format except jsonl decodes, and ends at a record that it cannot decode.
func TestUndecodable(t *testing.T) {
	for _, format := range []string{"csv", "journald", "parquet"} {
		for name, bad := range map[string][]byte{
			"not JSON":      []byte("x"),
			"not canonical": []byte(`{"boot_id": ""}`),
			"too long":      bytes.Repeat([]byte("x"), record.MaxLen+1),
			"empty":         {},
		} {
			src := many(t, 500)
			whole := exported(t, src, format)
			src.raw[300] = bad
			var out bytes.Buffer
			n, err := export.Write(&out, src, format, export.Options{})
			if n != 300 || !(errors.Is(err, errs.ErrCorrupt) || errors.Is(err, errs.ErrTooLarge)) {
				t.Errorf("%s, %s: %d, %v", format, name, n, err)
			}
			if !bytes.HasPrefix(whole, out.Bytes()) || len(whole) == out.Len() {
				t.Errorf("%s, %s: %d bytes are no beginning of the %d", format, name, out.Len(), len(whole))
			}
		}
	}
}

func TestEmptyExport(t *testing.T) {
	var none made
	for format, want := range map[string]int{"csv": 1, "journald": 0, "jsonl": 0} {
		if got := bytes.Count(exported(t, none, format), []byte("\n")); got != want {
			t.Errorf("%s: %d lines", format, got)
		}
	}
	if got := exported(t, none, "parquet"); !bytes.HasSuffix(got, []byte("PAR1")) {
		t.Errorf("parquet: %q", got)
	}
}

func TestProgress(t *testing.T) {
	src := many(t, 10000)
	for _, format := range export.Formats() {
		var seen uint64
		_, err := export.Write(io.Discard, src, format, export.Options{Progress: func(n uint64) {
			if n <= seen || n > 10000 {
				t.Errorf("%s: %d after %d", format, n, seen)
			}
			seen = n
		}})
		historytest.Check(t, err)
		if seen < 8000 {
			t.Errorf("%s: the last was %d", format, seen)
		}
	}
}
