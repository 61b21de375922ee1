package export_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/export"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal/record"
)

// table reads a CSV export strictly: header, and a map a line.
func table(t testing.TB, text []byte) ([]string, []map[string]string) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(text)) // LazyQuotes off, every line of one length
	all, err := r.ReadAll()
	historytest.Check(t, err)
	var rows []map[string]string
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, name := range all[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return all[0], rows
}

// undo reverses the documented rules: it removes an apostrophe at the beginning,
// then reads backslashes as in JSON.
func undo(cell string) string {
	cell = strings.TrimPrefix(cell, "'")
	var out strings.Builder
	for i := 0; i < len(cell); i++ {
		if cell[i] != '\\' {
			out.WriteByte(cell[i])
			continue
		}
		i++
		if cell[i] == 'u' {
			var n int
			_, _ = fmt.Sscanf(cell[i+1:i+5], "%04x", &n)
			out.WriteByte(byte(n))
			i += 4
			continue
		}
		out.WriteByte("\b\t\n\f\r\\"[strings.IndexByte("btnfr\\", cell[i])])
	}
	return out.String()
}

func TestCSVHoldsTheRecord(t *testing.T) {
	src, lines, _ := open(t)
	header, rows := table(t, exported(t, src, "csv"))
	if len(rows) != len(lines) {
		t.Fatalf("%d rows of %d", len(rows), len(lines))
	}
	for i, line := range lines {
		rec, err := record.Decode(line)
		historytest.Check(t, err)
		for name, want := range map[string]string{
			"v": "1", "journal": rec.Journal, "seq": fmt.Sprint(i + 1), "id": rec.ID, "type": rec.Type, "crit": fmt.Sprint(rec.Crit),
			"time": rec.Time.Format("2006-01-02T15:04:05.000000000Z"), "boot_id": rec.BootID, "uptime_ms": fmt.Sprint(rec.UptimeMS),
			"run": rec.Run, "node": rec.Node, "epoch": fmt.Sprint(rec.Epoch), "prev": rec.Prev.String(), "hash": rec.Hash.String(),
			"data": string(rec.Data), "exit_code": "",
		} {
			if rows[i][name] != want {
				t.Errorf("record %d: %s is %q, want %q", i+1, name, rows[i][name], want)
			}
		}
	}
	if rows[0]["role"] != "initial" || rows[1]["role"] != "match" || rows[0]["composite_hash"] != historytest.OldOS || rows[0]["uname_release"] == "" {
		t.Errorf("columns of data: %v", rows[0])
	}
	if header[0] != "v" || header[len(header)-1] != "data" {
		t.Error(header)
	}
}

// texts are texts that a reader or a spreadsheet could misread.
var texts = []string{
	"", "plain", "two words", "ünïcödé", "a,b", `say "so"`, `"`, `""`, "'", "''", "'=1", "=1+1", "=cmd|' /C calc'!A0", "+49", "-1", "@SUM(A1)",
	"\t=1", "\r=1", "\n=1", "line\nline", "cr\r\nlf", "\x00", "\x1b[31m", `C:\new`, `\`, `\n`, "＝1", "＋1", "－1", "＠a", "＝", "a=1",
	strings.Repeat("x", 5000) + ",\n\"",
}

func TestCSVTexts(t *testing.T) {
	var entries []record.Entry
	for _, text := range texts {
		e := data(t, map[string]any{"v": 1, "reason": text})
		e.Node = text
		entries = append(entries, e)
	}
	text := exported(t, newHistory(t, entries...), "csv")
	if n := bytes.Count(text, []byte("\n")); n != len(texts)+1 || bytes.Count(text, []byte("\r\n")) != n || bytes.Count(text, []byte("\r")) != n {
		t.Errorf("%d line feeds: a record must be a line, and a line must end in CR LF", n)
	}
	_, rows := table(t, text)
	for i, want := range texts {
		for _, name := range []string{"reason", "node"} {
			cell := rows[i][name]
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") || strings.ContainsAny(cell, "\r\n\x00") {
				t.Errorf("%s %q is %q", name, want, cell)
			}
			if got := undo(cell); got != want {
				t.Errorf("%s %q comes back as %q", name, want, got)
			}
		}
	}
}

// An absent value is an empty cell; an empty text is an empty cell in quotes.
func TestCSVAbsent(t *testing.T) {
	text := exported(t, newHistory(t, data(t, map[string]any{"v": 1, "reason": ""}), data(t, map[string]any{"v": 1, "reason": 7})), "csv")
	lines := strings.Split(string(text), "\r\n")
	if !strings.Contains(lines[1], `,"","{""`) || !strings.Contains(lines[2], `,,"{""`) {
		t.Errorf("%s", text)
	}
}

func FuzzCSVText(f *testing.F) {
	for _, text := range texts {
		if len(text) < 100 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ToValidUTF8(text, "")
		e := data(t, map[string]any{"v": 1, "reason": text})
		if len(text) > 1000 {
			return
		}
		var out bytes.Buffer
		_, err := export.Write(&out, newHistory(t, e), "csv", export.Options{})
		historytest.Check(t, err)
		r := csv.NewReader(&out)
		header, err := r.Read()
		historytest.Check(t, err)
		line, err := r.Read()
		historytest.Check(t, err)
		if got := undo(line[len(header)-2]); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
		if _, err := r.Read(); err != io.EOF {
			t.Errorf("%q: more than one line: %v", text, err)
		}
	})
}
