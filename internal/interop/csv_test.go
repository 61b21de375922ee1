package interop

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readCSV has Python read a file strictly.
const readCSV = `
import csv, json, sys
csv.field_size_limit(1 << 20)
with open(sys.argv[1], newline="", encoding="utf-8") as f:
    print(json.dumps(list(csv.reader(f, strict=True))))
`

func TestCSV(t *testing.T) {
	n := livedNode(t, "python3", "b3sum")
	n.Sh(`edgectl journal export --format jsonl --out h.jsonl; edgectl journal export --format csv --out h.csv`)
	if err := os.WriteFile(filepath.Join(n.Dir, "read.py"), []byte(readCSV), 0o600); err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	if err := json.Unmarshal([]byte(n.Sh(`python3 read.py h.csv`)), &rows); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(n.Dir, "h.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	strict, err := csv.NewReader(f).ReadAll()
	if err != nil || !slices.EqualFunc(strict, rows, slices.Equal) {
		t.Errorf("two strict readers disagree: %v", err)
	}
	lines := records(t, filepath.Join(n.Dir, "h.jsonl"))
	if len(rows) != len(lines)+1 {
		t.Fatalf("%d rows of %d", len(rows)-1, len(lines))
	}
	var raws [][]byte
	for _, l := range lines {
		raws = append(raws, l.raw)
	}
	hashes := b3sum(t, raws...)
	calculated, undone := 0, 0
	for i, row := range rows[1:] {
		cell := func(name string) string { return row[slices.Index(rows[0], name)] }
		var data map[string]any
		if err := json.Unmarshal([]byte(cell("data")), &data); err != nil || !strings.Contains(string(lines[i].raw), `"data":`+cell("data")+`,"epoch"`) {
			t.Errorf("row %d: data is not the record's: %v", i+1, err)
		}
		if cell("hash") != hashes[i] || cell("prev") != lines[i].Prev || cell("type") != lines[i].Type || cell("time") != lines[i].Time {
			t.Errorf("row %d: %v", i+1, row)
		}
		for _, text := range row {
			if text != "" && strings.ContainsAny(text[:1], "=+-@\t\r") {
				calculated++
			}
		}
		if reason, ok := data["reason"].(string); ok {
			back := strings.ReplaceAll(strings.TrimPrefix(cell("reason"), "'"), `\\`, `\`)
			if back != reason {
				t.Errorf("row %d: reason %q stands as %q", i+1, reason, cell("reason"))
			}
			if cell("reason")[0] == '\'' {
				undone++
			}
		}
	}
	if calculated != 0 || undone < 2 {
		t.Errorf("%d cells would be calculated, %d were defused", calculated, undone)
	}
}
