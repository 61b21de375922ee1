package pagetest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// axe-core judges names, roles and contrast of the hub's page: wide and narrow,
// light and dark, at first sight, with everything open, and in trouble.
func TestFleetAccessible(t *testing.T) {
	h := newHub(t, fleet(five()...))
	for _, v := range []view{desktop, desktop.night(), phone, phone.night()} {
		h.set(fleet(five()...))
		tb := h.visit(t, "", v)
		report := func(when string) {
			for _, wrong := range tb.axe() {
				t.Errorf("%s, %s: %.400s", v, when, wrong)
			}
		}
		report("at first sight")
		tb.do(`document.querySelector(".keys").open = true; document.querySelectorAll(".counts button")[2].click(); document.querySelector(".facet summary").click()`)
		tb.settle()
		report("with a state chosen and a menu open")
		tb.do(`document.querySelector(".facet").open = false; location.hash = "#node=silo-07"`)
		tb.says("#panel-title", "silo-07")
		report("with a node that fails")
		tb.do(`location.hash = "#node=depot-00"`)
		tb.says("#panel-title", "depot-00")
		report("with a conflict")
		tb.do(`location.hash = "#q=nothing+at+all"`)
		tb.says(".found", "0 of 70 nodes")
		f := fleet(five()...)
		f["stopped"], f["complete"] = "the store was rolled back", false
		h.set(f)
		tb.press("reload")
		tb.says(".stopped", "the store was rolled back")
		h.with(http.NotFound)
		tb.press("reload")
		tb.says(".trouble", "The hub")
		tb.expect("")
		report("with nothing found, a hub that is stopped and does not answer")
	}
}

// All can be reached with Tab, and what has the focus is seen.
func TestFleetTab(t *testing.T) {
	tb := newHub(t, fleet(five()...)).visit(t, "", desktop)
	reached := ""
	for range 80 {
		tb.run(chromedp.KeyEvent(kb.Tab))
		at := value[[]string](tb, `(e => [e.tagName + "." + e.className + " " + (e.getAttribute("aria-label") ?? e.textContent).trim().slice(0, 60), getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth])(document.activeElement)`)
		if strings.HasPrefix(at[0], "BODY") {
			break
		}
		if at[1] == "none" || at[2] == "0px" {
			t.Errorf("%s has the focus, and does not show it", at[0])
		}
		reached += at[0] + "\n"
		if strings.Contains(at[0], "vt-row") {
			tb.keys(kb.Enter)
			tb.says("#panel-title", "depot-00")
		}
	}
	for _, want := range []string{"skip to the nodes", "BUTTON. reload", "SELECT", "rewritten5", "Search name", "kernel", "clear all", "vt-sort name", "vt-sort last seen", "vt-row", "close", "report of journal", "Checkpoint shown by the node", "Copy the checkpoint held by the hub", "Keys"} {
		if !strings.Contains(reached, want) {
			t.Errorf("Tab does not reach %q", want)
		}
	}
	if t.Failed() {
		t.Log(reached)
	}
	tb.do(`document.querySelector(".skip").click()`)
	if at := value[string](tb, "document.activeElement.id"); at != "nodes" {
		t.Errorf("the link to the nodes leads to %q", at)
	}
}

// Without colours of its own, the page still shows what is what; and the switch of
// colours overrides the system's.
func TestFleetColours(t *testing.T) {
	tb := newHub(t, fleet(five()...)).visit(t, "#node=depot-00&state=rewritten", desktop)
	dark := func() bool {
		return value[bool](tb, `(([r]) => Number(r) < 100)(getComputedStyle(document.body).backgroundColor.match(/\d+/g))`)
	}
	tb.do(`const s = document.getElementById("theme"); s.value = "dark"; s.dispatchEvent(new Event("change"))`)
	if !dark() {
		t.Error("dark is not dark")
	}
	call(tb, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: "dark"}}})
	tb.settle()
	fill := value[[]string](tb, `[".icon.failed", ".icon.warning", ".icon.operator"].map(s => getComputedStyle(document.querySelector(s)).fill)`)
	if fill[0] != fill[1] || fill[1] != fill[2] {
		t.Errorf("marks are filled %v", fill)
	}
	if outline := value[[]string](tb, `['.vt-row[aria-selected="true"]', '.counts [aria-pressed="true"]'].map(s => getComputedStyle(document.querySelector(s)).outlineStyle)`); outline[0] != "solid" || outline[1] != "solid" {
		t.Errorf("the open node's row and the chosen state have the outlines %q", outline)
	}
	tb.shot("fleet-forced-colours", false)
}
