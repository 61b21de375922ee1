package pagetest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// axe lists what axe-core finds wrong in the page as it is now.
func (tb *tab) axe() []string {
	tb.t.Helper()
	source, err := os.ReadFile("../page/node_modules/axe-core/axe.min.js")
	if err != nil {
		tb.t.Fatalf("%v: run npm ci in internal/report/page", err)
	}
	// As a debugger, past the page's policy.
	if _, err := chromedp.Run(tb, chromedp.Evaluate[bool](string(source)+"; true")); err != nil {
		tb.t.Fatal(err)
	}
	return value[[]string](tb, `axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
		.then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary.replaceAll("\n", " "))))`)
}

// axe-core judges names, roles and contrast: wide and narrow, light and dark, at
// first sight and with everything open.
func TestAccessible(t *testing.T) {
	for name, journal := range map[string]string{"depot": depot, "harbour": harbour} {
		path := fixture(t, journal)
		for _, v := range []view{desktop, desktop.night(), phone, phone.night()} {
			tb := open(t, path, "", v)
			report := func(when string) {
				for _, wrong := range tb.axe() {
					t.Errorf("%s, %s, %s: %.400s", name, v, when, wrong)
				}
			}
			if name == "harbour" {
				report("at first sight")
				continue
			}
			tb.do(`document.querySelectorAll(".epoch summary")[8].click(); document.querySelector(".keys").open = true`)
			tb.settle()
			tb.do(`document.querySelectorAll(".file summary").forEach(s => s.click()); document.querySelector(".facet summary").click()`)
			tb.settle()
			report("with an epoch and a menu open")
			tb.do(`document.querySelector(".facet").open = false; location.hash = "#kind=PrecheckFailed&record=115"`)
			tb.says("#panel-title", "Record 115")
			report("with a record open")
		}
	}
}

// The switch of colours overrides the system's.
func TestColours(t *testing.T) {
	path := fixture(t, harbour)
	dark := func(tb *tab) bool {
		return value[bool](tb, `(([r]) => Number(r) < 100)(getComputedStyle(document.body).backgroundColor.match(/\d+/g))`)
	}
	for _, v := range []view{desktop, desktop.night()} {
		tb := open(t, path, "", v)
		if dark(tb) != v.dark {
			t.Errorf("%s: dark is %t", v, dark(tb))
		}
		for _, choice := range []string{"dark", "light", "as the system"} {
			tb.do(fmt.Sprintf(`const s = document.getElementById("theme"); s.value = %q; s.dispatchEvent(new Event("change"))`, choice))
			if want := choice == "dark" || choice == "as the system" && v.dark; dark(tb) != want {
				t.Errorf("%s, colours %s: dark is %t", v, choice, dark(tb))
			}
		}
	}
}

// All can be reached with Tab, and what has the focus is seen.
func TestTab(t *testing.T) {
	tb := open(t, fixture(t, harbour), "", desktop)
	reached := map[string]bool{}
	for range 80 {
		tb.run(chromedp.KeyEvent(kb.Tab))
		at := value[[]string](tb, `(e => [e.tagName + "." + e.className + " " + (e.getAttribute("aria-label") ?? e.textContent).trim().slice(0, 60), getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth])(document.activeElement)`)
		if strings.HasPrefix(at[0], "BODY") {
			break
		}
		if at[1] == "none" || at[2] == "0px" {
			t.Errorf("%s has the focus, and does not show it", at[0])
		}
		reached[at[0]] = true
	}
	all := ""
	for at := range reached {
		all += at + "\n"
	}
	for _, want := range []string{"skip to the timeline", "SELECT", "Copy the head's hash", "Zoom in", "Timeline of epochs", "next mark", "show flagged salvaged", "Search all text", "kind", "Until this time", "vt-row", "13: carried over"} {
		if !strings.Contains(all, want) {
			t.Errorf("Tab does not reach %q", want)
		}
	}
	if t.Failed() {
		t.Log(all)
	}
}

// Without colours of its own, the page still shows what is what.
func TestForcedColours(t *testing.T) {
	tb := open(t, fixture(t, depot), "#record=115", desktop)
	call(tb, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: "dark"}}})
	tb.settle()
	fill := value[[]string](tb, `[".mark.failed", ".mark.warning", ".icon.notice"].map(s => getComputedStyle(document.querySelector(s)).fill)`)
	if fill[0] != fill[1] || fill[1] != fill[2] {
		t.Errorf("marks are filled %v", fill)
	}
	if outline := value[string](tb, `getComputedStyle(document.querySelector('.vt-row[aria-selected="true"]')).outlineStyle`); outline != "solid" {
		t.Errorf("the open record's row has the outline %q", outline)
	}
	tb.shot("forced-colours", false)
}
