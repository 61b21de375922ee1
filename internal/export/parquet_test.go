package export_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal/record"
)

// opened reads a Parquet export and returns the file and every value as text, by
// column.
func opened(t testing.TB, data []byte) (*parquet.File, []map[string]string) {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	historytest.Check(t, err)
	names := f.Schema().Columns()
	var rows []map[string]string
	for _, g := range f.RowGroups() {
		reader := g.Rows()
		buf := make([]parquet.Row, 64)
		for {
			n, err := reader.ReadRows(buf)
			for _, row := range buf[:n] {
				m := map[string]string{}
				for _, v := range row {
					if !v.IsNull() {
						m[names[v.Column()][0]] = v.String()
					}
				}
				rows = append(rows, m)
			}
			if err != nil {
				break
			}
		}
		historytest.Check(t, reader.Close())
	}
	return f, rows
}

func TestParquetHoldsTheRecord(t *testing.T) {
	entries := []record.Entry{
		data(t, map[string]any{"v": 1, "reason": "", "path": "=1\n", "exit_code": 0}),
		data(t, map[string]any{"v": 1, "bytes": -1, "manifest_serial": 9007199254740991}),
		{Time: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), Crit: true, Epoch: 1<<53 - 1, UptimeMS: 1<<53 - 1},
		{Time: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Node: "ünïcödé \x00"},
	}
	src := newHistory(t, entries...)
	f, rows := opened(t, exported(t, src, "parquet"))
	if f.NumRows() != 4 || len(rows) != 4 {
		t.Fatalf("%d rows", f.NumRows())
	}
	for i, raw := range src.raw {
		rec, err := record.Decode(raw)
		historytest.Check(t, err)
		for name, want := range map[string]string{
			"v": "1", "journal": rec.Journal, "seq": fmt.Sprint(rec.Seq), "id": rec.ID, "type": rec.Type, "crit": fmt.Sprint(rec.Crit),
			"time_nanos": fmt.Sprint(rec.Time.Nanosecond() % 1000), "boot_id": rec.BootID, "uptime_ms": fmt.Sprint(rec.UptimeMS),
			"run": rec.Run, "node": rec.Node, "epoch": fmt.Sprint(rec.Epoch), "prev": rec.Prev.String(), "hash": rec.Hash.String(), "data": string(rec.Data),
		} {
			if rows[i][name] != want {
				t.Errorf("record %d: %s is %q, want %q", i+1, name, rows[i][name], want)
			}
		}
	}
	for i, want := range []map[string]string{
		{"reason": "", "path": "=1\n", "exit_code": "0"}, {"bytes": "-1", "manifest_serial": "9007199254740991"}, {}, {},
	} {
		for _, name := range []string{"reason", "path", "exit_code", "bytes", "manifest_serial", "role"} {
			got, there := rows[i][name]
			if text, ok := want[name]; ok != there || text != got {
				t.Errorf("record %d: %s is %q %v, want %q %v", i+1, name, got, there, text, ok)
			}
		}
	}
}

// The types of the columns are those that readers depend on.
func TestParquetSchema(t *testing.T) {
	f, _ := opened(t, exported(t, many(t, 10), "parquet"))
	text := f.Schema().String()
	for _, want := range []string{
		"required int64 seq (INT(64,true))", "required boolean crit", "required int64 time (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS))",
		"required int64 uptime_ms (INT(64,true))", "required binary data (JSON)", "required binary hash (STRING)",
		"optional binary reason (STRING)", "optional int64 duration_ms (INT(64,true))", "required int32 time_nanos (INT(32,true))",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Batches with different columns: each value stays with its record.
func TestParquetKeepsRowsTogether(t *testing.T) {
	src := many(t, 5000)
	_, rows := opened(t, exported(t, src, "parquet"))
	for i, row := range rows {
		want := map[string]string{}
		switch i % 4 {
		case 0:
			want["exit_code"] = fmt.Sprint(i)
		case 1:
			want["uname_release"], want["composite_hash"] = "6.8", "ab"
		case 2:
			want["composite_hash"], want["duration_ms"] = "cd", "60"
		}
		for _, name := range []string{"exit_code", "uname_release", "composite_hash", "duration_ms"} {
			if row[name] != want[name] || row["seq"] != fmt.Sprint(i+1) {
				t.Fatalf("row %d: %v", i, row)
			}
		}
	}
}

// A row group is bounded in bytes too: large records fill one early.
func TestParquetRowGroups(t *testing.T) {
	text := strings.Repeat("x", 60000)
	entries := make([]record.Entry, 300)
	for i := range entries {
		entries[i] = data(t, map[string]any{"v": 1, "reason": text})
	}
	src := newHistory(t, entries...)
	f, rows := opened(t, exported(t, src, "parquet"))
	if len(f.RowGroups()) != 2 || len(rows) != 300 || rows[299]["seq"] != "300" {
		t.Errorf("%d row groups, %d rows", len(f.RowGroups()), len(rows))
	}
}

// A part of an export must not look whole.
func TestParquetPartIsNone(t *testing.T) {
	src := many(t, 1000)
	src.raw[900] = []byte("x")
	var out bytes.Buffer
	if _, err := export.Write(&out, src, "parquet", export.Options{}); err == nil {
		t.Fatal("no error")
	}
	if _, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len())); err == nil {
		t.Error("a part can be opened")
	}
}
