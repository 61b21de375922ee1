package pagetest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A page that asks again keeps scroll, focus, filter, order and node.
func TestFleetRefresh(t *testing.T) {
	nodes := many(2000)
	h := newHub(t, fleet(nodes...))
	tb := h.visit(t, "#q=a&sort=name&state=alive", desktop)
	tb.do(`document.querySelector(".vt-row[tabindex='0']").focus()`)
	tb.keys(kb.PageDown, kb.PageDown, kb.PageDown, kb.Enter, kb.ArrowDown, kb.ArrowDown)
	const place = `[location.hash, String(document.querySelector(".vt-body").scrollTop), document.activeElement.querySelector(".c-name")?.textContent ?? "no row",
		document.querySelector("#panel-title").textContent, document.querySelector(".found").textContent]`
	tb.do(`window.kept = document.activeElement`)
	tb.settle()
	was := value[[]string](tb, place)
	reload := func() {
		asked := h.count()
		tb.do(`document.getElementById("reload").click()`)
		tb.until(`document.querySelector(".said").textContent === "up to date"`)
		tb.settle()
		if n := h.count() - asked; n != 1 {
			t.Errorf("the hub was asked %d times", n)
		}
	}
	reload()
	if now := value[[]string](tb, place); fmt.Sprint(now) != fmt.Sprint(was) {
		t.Errorf("the same answer moved the page from %q to %q", was, now)
	}
	if !value[bool](tb, "window.kept === document.activeElement") {
		t.Error("the row with the focus was made again")
	}
	// Another answer: a node before the others appears, and the open one changes.
	name := was[3]
	for _, n := range nodes {
		if n["name"] == name {
			n["flags"] = []object{{"code": "new-flag", "severity": "warning", "meaning": "it is new", "count": 1}}
		}
	}
	first := node(9000, "alive")
	first["name"] = "aaa"
	h.set(fleet(append([]object{first}, nodes...)...))
	reload()
	tb.says(".panel", "new-flag")
	now := value[[]string](tb, place)
	if now[0] != was[0] || now[1] != was[1] || now[2] != was[2] || now[3] != was[3] {
		t.Errorf("another answer moved the page from %q to %q", was, now)
	}
	if now[4] == was[4] {
		t.Errorf("the new node is not counted: %s", now[4])
	}
	// A focus inside the panel stays too.
	tb.do(`document.querySelectorAll(".panel-content .links a")[1].focus()`)
	h.set(fleet(many(2000)...))
	reload()
	if at := value[string](tb, "document.activeElement.textContent"); at != "records" {
		t.Errorf("the focus is at %q", at)
	}
	// The node is gone.
	h.set(fleet(many(3)...))
	reload()
	tb.says(".panel-content", "The hub names no such node. It may have been removed.")
	// A long panel keeps its place.
	h.set(fleet(five()...))
	reload()
	tb.do(`location.hash = "#node=depot-00"`)
	tb.says("#panel-title", "depot-00")
	tb.do(`document.querySelector(".panel-content").scrollTop = 300`)
	conflicted := node(0, "rewritten")
	conflicted["records"] = 450
	h.set(fleet(conflicted))
	reload()
	tb.says(".panel-content > .facts", "450")
	if top := value[int](tb, `document.querySelector(".panel-content").scrollTop`); top != 300 {
		t.Errorf("the panel is at %d", top)
	}
	// A menu that is open stays open, with its new counts, and with what is chosen.
	h.set(fleet(five()...))
	tb.press("close")
	tb.press("clear all")
	reload()
	tb.choose("kernel", kernels[2])
	tb.do(`[...document.querySelectorAll(".facet summary")].find(s => s.firstChild.textContent === "kernel").click(); document.querySelector(".facet[open] input").focus(); window.kept = document.activeElement`)
	only := node(1, "alive")
	only["kernel"] = "7.0.0"
	h.set(fleet(only))
	reload()
	tb.says(".found", "0 of 1 nodes")
	if value[bool](tb, `document.querySelector(".facet[open]") === null`) {
		t.Error("the menu was closed")
	}
	tb.says(".facet[open] fieldset", "7.0.01")
	tb.says(".facet[open] fieldset", kernels[2]+"0")
}

// Once a minute the page asks by itself, in silence.
func TestFleetMinute(t *testing.T) {
	f := fleet(five()...)
	f["stopped"], f["complete"] = "the store was rolled back", false
	h := newHub(t, f)
	tb := blank(t, h.URL+"/fleet/", desktop)
	call(tb, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `const wait = window.setTimeout; window.setTimeout = (f, ms) => { if (ms === 60000) { window.minute = f; return 1 } return wait(f, ms) }`})
	tb.run(chromedp.Navigate(h.URL + "/fleet/"))
	tb.until(`document.querySelector(".vt-row[data-i]") !== null && window.minute !== undefined`)
	tb.do(`window.heard = []; for (const e of document.querySelectorAll("[role=status], [role=alert]")) new MutationObserver(() => window.heard.push(e.className + ": " + e.textContent)).observe(e, {childList: true, characterData: true, subtree: true})`)
	f["time"] = "2026-11-30T09:31:00Z"
	h.set(f)
	tb.do("window.minute()")
	tb.says(".as-of", "09:31:00Z")
	tb.settle()
	if heard := value[[]string](tb, "window.heard"); len(heard) > 0 {
		t.Errorf("a screen reader says %q", heard)
	}
}

// An answer that is refused, broken or missing is a line that says what to do, and
// what was shown stays.
func TestFleetTrouble(t *testing.T) {
	h := newHub(t, fleet(five()...))
	tb := h.visit(t, "#state=silent", desktop)
	status := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, code) }
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
		logs   string
	}{
		{"not allowed", status(401, "no certificate"), "The hub answers 401 (no certificate). Load the page again with an operator's certificate or token.", "401"},
		{"forbidden", status(403, ""), "The hub answers 403. Load the page again with", "403"},
		{"not ready", status(503, "<b>store</b>\u202e"), `The hub answers 503 (<b>store</b>\u202e). It is starting or cannot read its store: check its log.`, "503"},
		{"another page", status(404, ""), "The hub answers 404. Check its log.", "404"},
		{"no JSON", status(200, "<html>log in</html>"), "The hub's answer cannot be read. Load the page again", ""},
		{"other JSON", status(200, `{"error":"x"}`), "The hub's answer cannot be read.", ""},
		{"null", status(200, `null`), "The hub's answer cannot be read.", ""},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"hub":"hub-north"`))
		}, "The hub cannot be reached. Check the network, and that edgehub serve runs.", "ERR_CONTENT_LENGTH_MISMATCH"},
		{"broken off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "The hub cannot be reached.", "ERR_EMPTY_RESPONSE"},
	} {
		h.with(tt.answer)
		tb.press("reload")
		tb.says(".trouble", tt.says)
		tb.says(".trouble", "What is shown is of 2026-11-30T09:30:00Z. The page asks again each minute.")
		tb.says(".found", "5 of 70 nodes")
		if tt.logs != "" {
			tb.expect(tt.logs)
		}
		h.set(fleet(five()...))
		tb.press("reload")
		tb.until(`document.querySelector(".trouble").textContent === ""`)
	}
	// A slow answer: the page works meanwhile, and asks once.
	more := make(chan struct{})
	h.with(func(w http.ResponseWriter, r *http.Request) {
		<-more
		status(503, "late")(w, r)
	})
	before := h.count()
	tb.press("reload")
	tb.says(".said", "asking the hub")
	tb.press("reload")
	tb.press("clear all")
	tb.says(".found", "all 70 nodes")
	close(more)
	tb.says(".trouble", "late")
	tb.expect("503")
	if n := h.count() - before; n != 1 {
		t.Errorf("the hub was asked %d times", n)
	}
	// The first answer is missing.
	tb = blank(t, h.URL+"/fleet/", phone)
	tb.run(chromedp.Navigate(h.URL + "/fleet/"))
	tb.says(".trouble", "The hub answers 503 (late).")
	tb.expect("503")
	h.set(fleet(five()...))
	tb.press("reload")
	tb.says(".found", "all 70 nodes")
	if tb.text(".trouble") != "" || tb.text(".loading") != "NOT THERE" {
		t.Errorf("%q, %q", tb.text(".trouble"), tb.text(".loading"))
	}
	// An empty fleet, as Go writes it.
	f := fleet()
	f["nodes"] = nil
	h.set(f)
	tb.press("reload")
	tb.says(".found", "all 0 nodes")
	tb.says(".as-of", "0 nodes")
}
