package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// TestDefences: each row names a function and a test that are declared where
// the row says.
func TestDefences(t *testing.T) {
	const page = "docs/defences.md"
	link := regexp.MustCompile(`\[([^\]]+)\]\(\.\./([^)]+)\)$`)
	declares := func(row []string, cell, symbol string) {
		t.Helper()
		m := link.FindStringSubmatch(cell)
		if m == nil || m[1] != m[2] {
			t.Errorf("%q: %s is not a link to the file that it names", row[0], cell)
			return
		}
		declared, err := declarations(m[1])
		if err != nil {
			t.Errorf("%q: %v", row[0], err)
		} else if !declared[symbol] {
			t.Errorf("%q: %s does not declare %s", row[0], m[1], symbol)
		}
	}
	defences := 0
	for _, heading := range []string{"What plain Pebble does", "What the journal and the gate add"} {
		for _, r := range rows(section(t, page, heading)) {
			if len(r) != 5 {
				t.Errorf("a row with %d cells: %q", len(r), r)
				continue
			}
			if r[0] == "fault" {
				continue
			}
			defences++
			declares(r, r[2], strings.Trim(r[3], "`"))
			test, _, _ := strings.Cut(strings.TrimPrefix(r[4], "`"), "`")
			if !strings.HasPrefix(test, "Test") || !strings.Contains(r[4], "_test.go)") {
				t.Errorf("%q: %s names no test", r[0], r[4])
			}
			declares(r, r[4], test)
		}
	}
	if defences < 25 {
		t.Errorf("only %d defences found", defences)
	}
}
