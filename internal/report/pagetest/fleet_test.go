package pagetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// column returns the texts of a column, of the rows in sight.
func (tb *tab) column(class string) []string {
	tb.t.Helper()
	return value[[]string](tb, fmt.Sprintf(`[...document.querySelectorAll(".vt-body .vt-row")].map(r => r.querySelector(%q).textContent)`, "."+class))
}

func (tb *tab) hash() string {
	tb.t.Helper()
	return value[string](tb, "location.hash")
}

func TestFleetCounts(t *testing.T) {
	h := newHub(t, fleet(five()...))
	tb := h.visit(t, "", desktop)
	tb.says("h1", "hub-north")
	tb.says(".as-of", "70 nodes and 35,110 records, as of 2026-11-30T09:30:00Z")
	tb.says(".found", "all 70 nodes")
	if tb.text(".stopped") != "" || tb.text(".incomplete") != "" || tb.text(".trouble") != "" {
		t.Error("a hub without trouble is said to be in trouble")
	}
	counts := value[[]string](tb, `[...document.querySelectorAll(".counts button")].map(b => b.textContent)`)
	for i, s := range states {
		if want := strings.ReplaceAll(s, "_", " ") + "5"; counts[i] != want {
			t.Errorf("count %d is %q, want %q", i, counts[i], want)
		}
	}
	// A mark has a shape, and the state's name beside it.
	if n := value[int](tb, `[...document.querySelectorAll(".counts button, .vt-body .c-state")].filter(e => e.querySelector("svg path") && e.textContent.trim() !== "").length`); n < 14+10 {
		t.Errorf("%d marks", n)
	}
	for _, s := range states {
		b := fmt.Sprintf(".counts li:nth-child(%d) button", slices.Index(states, s)+1)
		tb.click(b)
		tb.says(".found", "5 of 70 nodes")
		if tb.hash() != "#state="+s || tb.found() != 5 || !value[bool](tb, fmt.Sprintf(`document.querySelector(%q).getAttribute("aria-pressed") === "true"`, b)) {
			t.Errorf("%s: %s, %d rows", s, tb.hash(), tb.found())
		}
		for _, shown := range tb.column("c-state") {
			if shown != strings.ReplaceAll(s, "_", " ") {
				t.Errorf("%s: the table shows %s", s, shown)
			}
		}
	}
	tb.click(".counts li:last-child button")
	tb.says(".found", "all 70 nodes")
	// States that apply beside the worst are in the search.
	tb.enter("q", "stuck")
	tb.says(".found", "10 of 70 nodes")
}

func TestFleetFilter(t *testing.T) {
	h := newHub(t, fleet(five()...))
	tb := h.visit(t, "", desktop)
	for _, tt := range []struct {
		name string
		use  func(tb *tab)
		rows int
		hash string
	}{
		{"a name", func(tb *tab) { tb.enter("q", "HARBOUR-01") }, 1, "q=HARBOUR-01"},
		{"a journal", func(tb *tab) { tb.enter("q", journalID(24)) }, 1, "q=" + journalID(24)},
		{"another journal", func(tb *tab) { tb.enter("q", journalID(6003)) }, 1, "q=" + journalID(6003)},
		{"a system", func(tb *tab) { tb.enter("q", "trixie") }, 13, "q=trixie"},
		{"a kernel", func(tb *tab) { tb.enter("q", "6.12.57+deb13") }, 13, "q=6.12.57%2Bdeb13"},
		{"a reason", func(tb *tab) { tb.enter("q", "no valid signature") }, 5, "q=no+valid+signature"},
		{"words in any order", func(tb *tab) { tb.enter("q", "exit debian") }, 2, "q=exit+debian"},
		{"nothing", func(tb *tab) { tb.enter("q", "no such text") }, 0, "q=no+such+text"},
		{"two states", func(tb *tab) { tb.choose("state", "silent"); tb.choose("state", "wiped") }, 10, "state=wiped;silent"},
		{"a system's menu", func(tb *tab) { tb.choose("system", systems[4]) }, 13, "system=openSUSE+MicroOS"},
		{"a kernel's menu", func(tb *tab) { tb.choose("kernel", kernels[0]) }, 13, "kernel=6.1.0-41-amd64"},
		{"an outcome", func(tb *tab) { tb.choose("outcome", "failed") }, 5, "outcome=failed"},
		{"no boot", func(tb *tab) { tb.choose("outcome", "(none)") }, 5, "outcome=%28none%29"},
		{"a flag", func(tb *tab) { tb.choose("flag", "runtime-drift") }, 5, "flag=runtime-drift"},
		{"all of it", func(tb *tab) { tb.choose("state", "failing"); tb.choose("outcome", "failed"); tb.enter("q", "depot") }, 0, "state=failing&outcome=failed"},
	} {
		tt.use(tb)
		want := fmt.Sprintf("%d of 70 nodes", tt.rows)
		tb.says(".found", want)
		if n := tb.found(); n != tt.rows {
			t.Errorf("%s: the table has %d rows", tt.name, n)
		}
		if value[bool](tb, `document.querySelector(".nodes .empty").hidden`) != (tt.rows > 0) {
			t.Errorf("%s: the text for an empty table is wrong", tt.name)
		}
		hash := tb.hash()
		for part := range strings.SplitSeq(tt.hash, "&") {
			if !strings.Contains(hash, part) {
				t.Errorf("%s: %s is not in %s", tt.name, part, hash)
			}
		}
		tb.press("clear all")
		tb.says(".found", "all 70 nodes")
		// The address alone leads to the same.
		tb.do(fmt.Sprintf("location.hash = %q", hash))
		tb.says(".found", want)
		tb.press("clear all")
		tb.says(".found", "all 70 nodes")
	}
	h.visit(t, "#state=silent;wiped&sort=-name", desktop).says(".found", "10 of 70 nodes")
	// A link may name what no node has any more.
	tb = h.visit(t, "#kernel=9.9.9;"+kernels[0], desktop)
	tb.says(".found", "13 of 70 nodes")
	tb.choose("kernel", kernels[0])
	tb.says(".found", "0 of 70 nodes")
	if tb.hash() != "#kernel=9.9.9" {
		t.Error(tb.hash())
	}
}

func TestFleetSort(t *testing.T) {
	h := newHub(t, fleet(five()...))
	tb := h.visit(t, "", desktop)
	if first := tb.column("c-state")[:6]; strings.Join(first, " ") != "rewritten rewritten rewritten rewritten rewritten cloned" {
		t.Errorf("the worst are not first: %q", first)
	}
	sorted := func() string {
		return value[string](tb, `[...document.querySelectorAll("[role=columnheader][aria-sort]")].map(e => e.textContent + " " + e.getAttribute("aria-sort")).join()`)
	}
	for _, tt := range []struct{ column, class, first, last string }{
		{"name", "c-name", "depot-00", "ward-66"},
		{"state", "c-state", "rewritten", "alive"},
		{"epoch", "c-epoch", "0", "8"},
		{"operating system", "c-system", "Debian GNU/Linux 12 (bookworm)", "Ubuntu 24.04.3 LTS"},
		{"kernel", "c-kernel", "6.1.0-41-amd64", "6.17.9-1-default"},
		{"last boot", "c-boot", "31 h", "min ago"},
		{"outcome", "c-outcome", "failed, exit 5", "passed"},
		{"last seen", "c-seen", "9 d ago", "3 min ago"},
		{"flags", "c-flags", "", "runtime-driftdrill"},
	} {
		// By key: the button in the head.
		tb.do(fmt.Sprintf(`[...document.querySelectorAll(".vt-sort")].find(b => b.textContent === %q).focus()`, tt.column))
		for _, descending := range []bool{false, true} {
			tb.keys(kb.Enter)
			if tt.column == "state" && !descending && sorted() == "state descending" {
				tb.keys(kb.Enter)
			}
			direction := "ascending"
			if descending {
				direction = "descending"
			}
			if got := sorted(); got != tt.column+" "+direction {
				t.Errorf("sorted is %q, want %s %s", got, tt.column, direction)
			}
			want := tt.first
			if descending {
				want = tt.last
			}
			if got := tb.column(tt.class)[0]; tt.column != "last boot" && got != want {
				t.Errorf("%s, descending %t: the first is %q, want %q", tt.column, descending, got, want)
			}
			// Those without a value are last, in both directions.
			tb.do(`document.querySelector(".vt-body").scrollTop = 1e9`)
			tb.settle()
			if rows := tb.column("c-state"); slices.Contains([]string{"last boot", "last seen", "outcome", "kernel"}, tt.column) && rows[len(rows)-1] != "never seen" {
				t.Errorf("%s, descending %t: the last is %q", tt.column, descending, rows[len(rows)-1])
			}
			tb.do(`document.querySelector(".vt-body").scrollTop = 0`)
			tb.settle()
		}
		if !value[bool](tb, `document.activeElement.classList.contains("vt-sort")`) {
			t.Errorf("%s: the button lost the focus", tt.column)
		}
	}
	if tb.hash() != "#sort=-flags" {
		t.Error(tb.hash())
	}
	tb.do(`location.hash = "#sort=-seen"`)
	tb.settle()
	if got := sorted(); got != "last seen descending" {
		t.Errorf("the address sorts %q", got)
	}
	tb.do(`location.hash = "#sort=__proto__"`)
	tb.settle()
	if got := sorted(); got != "state ascending" {
		t.Errorf("a broken address sorts %q", got)
	}
	// A phone has no heads to click.
	tb = h.visit(t, "", phone)
	tb.do(`const s = document.querySelector("[name=sort]"); s.value = "-name"; s.dispatchEvent(new Event("change"))`)
	tb.settle()
	if got := tb.column("c-name")[0]; got != "ward-66" || tb.hash() != "#sort=-name" {
		t.Errorf("%s, %s", got, tb.hash())
	}
}

// The table by keyboard alone.
func TestFleetKeys(t *testing.T) {
	tb := newHub(t, fleet(five()...)).visit(t, "#sort=name", desktop)
	tb.do(`document.querySelector(".vt-row[tabindex='0']").focus()`)
	at := func() string {
		return value[string](tb, `document.activeElement.getAttribute("aria-rowindex") + " " + (document.activeElement.querySelector(".c-name")?.textContent ?? "")`)
	}
	for _, step := range []struct{ key, at string }{
		{kb.ArrowDown, "3 depot-08"}, {kb.ArrowUp, "2 depot-00"}, {kb.End, "71 ward-66"}, {kb.Home, "2 depot-00"}, {kb.ArrowDown, "3 depot-08"},
	} {
		tb.keys(step.key)
		if got := at(); got != step.at {
			t.Errorf("after %q: %s, want %s", step.key, got, step.at)
		}
	}
	tb.keys(kb.Enter)
	tb.says("#panel-title", "depot-08")
	if tb.hash() != "#sort=name&node=depot-08" {
		t.Error(tb.hash())
	}
	tb.keys(kb.ArrowDown, kb.Enter)
	tb.says("#panel-title", "depot-16")
	tb.do("history.back()")
	tb.says("#panel-title", "depot-08")
	tb.do(`document.querySelector(".vt-row[tabindex='0']").focus()`)
	tb.keys(kb.Escape)
	if value[bool](tb, `document.querySelector("dialog").open`) || at() != "3 depot-08" || tb.hash() != "#sort=name" {
		t.Errorf("after Escape the focus is at %s, the address %s", at(), tb.hash())
	}
}

// A node's detail: states with their meaning, links, boot, flags, other journals.
func TestFleetNode(t *testing.T) {
	h := newHub(t, fleet(five()...))
	tb := h.visit(t, "", desktop)
	for i, s := range states {
		n := node(i, s)
		tb.do(fmt.Sprintf("location.hash = %q", "#node="+n["name"].(string)))
		tb.says("#panel-title", n["name"].(string))
		tb.says(".states li:first-child", strings.ReplaceAll(s, "_", " "))
		for k, reason := range n["reasons"].([]string) {
			if reason != "" {
				tb.says(fmt.Sprintf(".states li:nth-child(%d) .reason", k+1), reason)
			}
		}
		if advised := value[bool](tb, `document.querySelector(".states .advice") !== null`); advised != (s != "alive") {
			t.Errorf("%s: advised is %t", s, advised)
		}
		if links := value[int](tb, `document.querySelectorAll(".panel-content > .links a").length`); (links == 3) != (s != "never_seen") {
			t.Errorf("%s: %d links", s, links)
		}
		if n := value[int](tb, `document.querySelectorAll(".conflict").length`); n != map[string]int{"rewritten": 2, "rolled_back": 1}[s] {
			t.Errorf("%s: %d conflicts", s, n)
		}
	}
	tb.do(`location.hash = "#node=silo-07"`)
	tb.says(".states li:nth-child(2)", "a reconstruction is open since attempt 1")
	tb.says(".panel", "failedexit 5")
	tb.says(".panel", "3 of the open reconstruction")
	tb.do(`location.hash = "#node=kiosk-11"`)
	tb.says(".flag-note", "runtime-drift × 2 (warning): the running system differed")
	tb.do(`location.hash = "#node=kiosk-03"`)
	tb.says(".other", journalID(6003))
	tb.says(".facts", "400 d ago, 2025-10-26T09:30:00Z")
	if href := value[string](tb, `document.querySelector(".other a").getAttribute("href")`); href != "edged/"+journalID(6003)+"/report" {
		t.Error(href)
	}
	// The links are relative to the page, wherever it is.
	for _, file := range []string{"report", "records.jsonl", "checkpoint"} {
		got := value[string](tb, fmt.Sprintf(`fetch(document.querySelector('.panel-content > .links a[href$=%q]').href).then(r => r.text())`, "/"+file))
		if want := file + " of " + journalID(3); got != want {
			t.Errorf("the link leads to %q, want %q", got, want)
		}
	}
	tb.do(`location.hash = "#node=nobody"`)
	tb.says(".panel-content", "The hub names no such node")
}

// A conflict shows both sides, beside each other where there is room.
func TestFleetConflict(t *testing.T) {
	h := newHub(t, fleet(five()...))
	for _, v := range []view{desktop, phone} {
		tb := h.visit(t, "#node=depot-00", v)
		tb.says(".conflict", "The first record that differs is 412.")
		for i, side := range []string{"held", "shown"} {
			c := conflict("rewritten", journalID(0), 449, 449)
			s := c[side].(object)
			at := fmt.Sprintf(".side:nth-child(%d)", i+1)
			tb.says(at, []string{"held by the hub", "shown by the node"}[i])
			tb.says(at+" .facts", s["root"].(string))
			tb.says(at+" .facts", c["first"].(object)[side].(string))
			if got := tb.text(at + " pre"); got != s["checkpoint"] {
				t.Errorf("the checkpoint is %q, want %q", got, s["checkpoint"])
			}
		}
		beside := value[bool](tb, `(([a, b]) => a.top === b.top && a.right <= b.left)([...document.querySelectorAll(".side")].map(e => e.getBoundingClientRect()))`)
		if beside == v.phone {
			t.Errorf("%s: the sides are beside each other: %t", v, beside)
		}
		tb.do(`location.hash = "#node=ward-02"`)
		tb.says(".conflict", "The records do not show which of them differs first.")
		tb.says(".side:nth-child(1)", "449")
		tb.says(".side:nth-child(2)", "300")
	}
}

// Ten thousand nodes: what exists is bounded, and the page answers.
func TestFleetTenThousand(t *testing.T) {
	h := newHub(t, fleet(many(10_000)...))
	for _, v := range []view{desktop, phone} {
		tb := h.visit(t, "", v)
		tb.says(".found", "all 10,000 nodes")
		bounded := func(when string) {
			if rows, all := value[int](tb, `document.querySelectorAll(".vt-row").length`), value[int](tb, `document.querySelectorAll("*").length`); rows > 60 || all > 1500 {
				t.Errorf("%s, %s: %d rows and %d elements exist", v, when, rows, all)
			}
		}
		bounded("at first sight")
		tb.do(`document.querySelector(".vt-body").scrollTop = 1e9`)
		tb.settle()
		bounded("at the end")
		if rows := tb.column("c-state"); rows[len(rows)-1] != "alive" {
			t.Errorf("the last is %q", rows[len(rows)-1])
		}
		tb.click(".filter input[name=q]")
		for _, c := range "kiosk-9" {
			tb.run(chromedp.KeyEvent(string(c)))
		}
		tb.says(".found", "139 of 10,000 nodes")
		tb.keys(kb.Backspace, kb.Backspace)
		tb.says(".found", "1,250 of 10,000 nodes")
		bounded("with a search")
		tb.press("reload")
		tb.says(".said", "up to date")
		tb.says(".found", "1,250 of 10,000 nodes")
		bounded("after a reload")
		tb.press("clear all")
		tb.do(`location.hash = "#node=silo-9999"`)
		tb.says("#panel-title", "silo-9999")
		if !value[bool](tb, `(b => b.top >= 0)(document.querySelector('.vt-row[aria-selected="true"]').getBoundingClientRect())`) {
			t.Error("the node's row is out of sight")
		}
	}
}
