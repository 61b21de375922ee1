package pagetest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A damaged history is shown as far as it can be read, and the page says that it
// is damaged.
func TestDamaged(t *testing.T) {
	text, err := os.ReadFile(depot)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	join := func(parts ...[][]byte) []byte {
		var all [][]byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return bytes.Join(all, nil)
	}
	for name, damaged := range map[string][]byte{
		"a record is missing":   join(lines[:200], lines[201:]),
		"records are doubled":   join(lines[:200], lines[190:]),
		"records are reordered": join(lines[:100], lines[200:300], lines[100:200], lines[300:]),
		"a byte is flipped":     bytes.Replace(text, []byte(`"serial":3`), []byte(`"serial":4`), 1),
		"the end is torn":       text[:len(text)-300],
		"the middle is noise":   join(lines[:50], [][]byte{bytes.Repeat([]byte{0xff, 0x00, '<'}, 300), []byte("\n")}, lines[51:]),
		"one record":            lines[7],
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "damaged.jsonl")
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			tb := open(t, fixture(t, path), "", desktop)
			if name != "one record" && value[bool](tb, `document.querySelector(".verdict").classList.contains("good") && document.getElementById("chain").textContent.includes("✓")`) {
				t.Errorf("the page says %q and %q", tb.text(".verdict .word"), tb.text("#chain"))
			}
			tb.do(`document.querySelectorAll(".epoch summary").forEach(s => s.click())`)
			for _, record := range []string{"51", "201", "463"} {
				tb.do(`location.hash = "#record=` + record + `"`)
				tb.until(`document.querySelector("dialog").open`)
				tb.says("#panel-title", record)
			}
		})
	}
	// An altered page says so itself: one character of its packed records.
	page, err := os.ReadFile(fixture(t, depot))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(page, []byte(`id="records">`)) + 50_000
	page[at] ^= 1
	path := filepath.Join(t.TempDir(), "altered.html")
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	tb := open(t, path, "", desktop)
	if value[bool](tb, `document.querySelector(".unreadable:not(noscript *)") === null && document.getElementById("chain").textContent.includes("✓")`) {
		t.Error("an altered page does not say so")
	}
}
