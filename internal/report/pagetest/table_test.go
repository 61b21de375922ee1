package pagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// choose clicks a box of a menu of the filter.
func (tb *tab) choose(menu, box string) {
	tb.t.Helper()
	tb.do(fmt.Sprintf(`[...document.querySelectorAll(".facet summary")].find(s => s.firstChild.textContent === %q).click()`, menu))
	tb.click(fmt.Sprintf(".facet[open] input[value=%q]", box))
	tb.keys(kb.Escape)
}

// enter types into a field of the filter.
func (tb *tab) enter(field, text string) {
	tb.t.Helper()
	tb.click(".filter input[name=" + field + "]")
	tb.keys(text)
}

func TestFilter(t *testing.T) {
	path := fixture(t, depot)
	tb := open(t, path, "", desktop)
	for _, tt := range []struct {
		name string
		use  func(tb *tab)
		rows int
		hash string
	}{
		{"kind", func(tb *tab) { tb.choose("kind", "PrecheckFailed") }, 6, "kind=PrecheckFailed"},
		{"two kinds", func(tb *tab) { tb.choose("kind", "PrecheckFailed"); tb.choose("kind", "EpochRotated") }, 19, "kind=EpochRotated;PrecheckFailed"},
		{"boots that failed", func(tb *tab) { tb.choose("boot", "failed") }, 16, "boot=failed"},
		{"a flag", func(tb *tab) { tb.choose("flag", "runtime-drift") }, 1, "flag=runtime-drift"},
		{"any notice", func(tb *tab) { tb.choose("flag", "notice") }, 6, "flag=notice"},
		{"a cause", func(tb *tab) { tb.choose("cause", "drill") }, 6, "cause=drill"},
		{"epochs", func(tb *tab) { tb.enter("epoch", "0, 3-4") }, 95, "epoch=0,+3-4"},
		{"a day", func(tb *tab) { tb.enter("from", "2024-06-30"); tb.enter("until", "2024-06-30") }, 11, "from=2024-06-30&until=2024-06-30"},
		{"since", func(tb *tab) { tb.enter("from", "2026") }, 11, "from=2026"},
		{"words", func(tb *tab) { tb.enter("q", "SIGNATURE verification") }, 2, "q=SIGNATURE+verification"},
		{"a hash inside a record", func(tb *tab) { tb.enter("q", "cebaf38e5ecae3734c86f0a61e69a50e15a7351da52c112e67338e483e669b0c") }, 1, "q=cebaf38e"},
		{"nothing", func(tb *tab) { tb.enter("q", "no such text") }, 0, "q=no+such+text"},
		{"all of it", func(tb *tab) { tb.choose("kind", "PrecheckFailed"); tb.enter("epoch", "2"); tb.enter("q", "manifest") }, 2, "kind=PrecheckFailed&epoch=2"},
	} {
		tt.use(tb)
		want := fmt.Sprintf("%d of 463 records", tt.rows)
		tb.says(".found", want)
		if n := tb.found(); n != tt.rows {
			t.Errorf("%s: the table has %d rows", tt.name, n)
		}
		hash := value[string](tb, "location.hash")
		for part := range strings.SplitSeq(tt.hash, "&") {
			if !strings.Contains(hash, part) {
				t.Errorf("%s: %s is not in %s", tt.name, part, hash)
			}
		}
		// The address alone leads to the same.
		tb.press("clear all")
		tb.says(".found", "all 463 records")
		tb.do(fmt.Sprintf("location.hash = %q", hash))
		tb.says(".found", want)
		tb.press("clear all")
		tb.says(".found", "all 463 records")
	}
	open(t, path, "#kind=PrecheckFailed&epoch=2", desktop).says(".found", "2 of 463 records")
}

// A table is usable by keyboard alone, and its rows say where they are.
func TestTableKeys(t *testing.T) {
	tb := open(t, fixture(t, depot), "", desktop)
	tb.do(`document.querySelector(".vt-row[tabindex='0']").focus()`)
	at := func() string {
		return value[string](tb, `document.activeElement.getAttribute("aria-rowindex") + " " + document.activeElement.querySelector(".c-seq").textContent`)
	}
	for _, step := range []struct{ key, at string }{
		{kb.ArrowDown, "3 2"}, {kb.ArrowDown, "4 3"}, {kb.ArrowUp, "3 2"}, {kb.End, "464 463"}, {kb.ArrowDown, "464 463"}, {kb.Home, "2 1"},
	} {
		tb.keys(step.key)
		if got := at(); got != step.at {
			t.Errorf("after %q: %s, want %s", step.key, got, step.at)
		}
	}
	tb.keys(kb.PageDown, kb.PageDown)
	if got := value[int](tb, `Number(document.activeElement.getAttribute("aria-rowindex"))`); got < 30 || got > 80 {
		t.Errorf("two pages down is row %d", got)
	}
	tb.keys(kb.End, kb.Enter)
	tb.says("#panel-title", "Record 463")
	tb.says(".panel-content", "This is the hash of the head.")
	tb.keys(kb.Escape)
	if value[bool](tb, `document.querySelector("dialog").open`) || at() != "464 463" {
		t.Errorf("after Escape the focus is at %s", at())
	}
	if n := value[int](tb, `document.querySelectorAll(".vt-row").length`); n > 60 {
		t.Errorf("%d rows exist", n)
	}
	if n := value[int](tb, `document.querySelectorAll(".vt-row[tabindex='0']").length`); n != 1 {
		t.Errorf("%d rows are in the order of Tab", n)
	}
}

func TestRecord(t *testing.T) {
	path := fixture(t, depot)
	tb := open(t, path, "#record=333", desktop)
	var shown struct {
		Hash string `json:"hash"`
	}
	requireJSON(t, &shown, "journal", "show", "333", "--journal", depot, "--json")
	tb.says("#panel-title", "Record 333")
	tb.says(".facts", shown.Hash)
	tb.says(".facts", "The next record names this hash.")
	tb.says(".panel-content", "os_changed attempt 2")
	tb.says(".panel .diff del", "phase verified, epoch 8")
	tb.says(".panel .diff ins", "phase detected, epoch 8")
	tb.says("pre.exact", "    \"supersedes\": 330,\n")
	tb.says(".flag-note", "update-superseded")
	tb.shot("record-333", false)
	tb.click(".neighbours .next")
	tb.says("#panel-title", "Record 334")
	if hash := value[string](tb, "location.hash"); hash != "#record=334" {
		t.Error(hash)
	}
	tb.do("history.back()")
	tb.says("#panel-title", "Record 333")
	// A link at the top brings the record into sight.
	tb = open(t, path, "", desktop)
	tb.click(".findings a")
	tb.says("#panel-title", "Record 316")
	if !value[bool](tb, `(b => b.top >= 0 && b.bottom <= innerHeight + 1)(document.querySelector("dialog").getBoundingClientRect())`) {
		t.Error("the record is out of sight")
	}
	// A failure says what to do.
	tb = open(t, path, "#record=115", desktop)
	tb.says(".advice", "next: sign exactly these bytes")
	tb.says(".facts", "failed with exit 5")
	// A record by a wrong clock.
	tb = open(t, path, "#record=315&from=2025-06&until=2025-06", desktop)
	tb.says(".clock", "wrong clock")
	tb.says(".facts", "by a clock that contradicts the order of the records")
}

func TestEpochs(t *testing.T) {
	tb := open(t, fixture(t, depot), "", desktop)
	tb.click(".epoch:nth-of-type(9) > summary")
	tb.says(".epoch[open] .rows", "and again: 3 boots until attempt 3")
	tb.says(".epoch[open] .changes", "What changed since the epoch before")
	tb.says(".epoch[open] ins", "Fedora")
	tb.says(".epoch[open] .file summary", "evidence.json")
	tb.click(".epoch[open] .file summary")
	tb.says(".file[open] pre", `"boot_epoch"`)
	tb.press("its records")
	tb.says(".found", "of 463 records")
	if hash := value[string](tb, "location.hash"); !strings.Contains(hash, "epoch=8") {
		t.Error(hash)
	}
	tb.click(".epoch[open] .rows a")
	tb.says("#panel-title", "Record 291")
	if hash := value[string](tb, "location.hash"); hash != "#epoch=8&record=291&explain=8" {
		t.Error(hash)
	}
}
