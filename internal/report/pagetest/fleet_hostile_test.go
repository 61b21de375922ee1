package pagetest

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/autonomyops/edged/internal/report/page"
)

// hostileFleet returns a fleet in which every text attacks.
func hostileFleet() object {
	var nodes []object
	for i, text := range hostile {
		n := node(i, "rewritten")
		c := conflict("rewritten", text, 449, 449)
		c["kind"] = text
		for _, side := range []string{"held", "shown"} {
			c["first"].(object)[side] = text
			c[side] = object{"size": 449, "root": text, "checkpoint": text + "\n" + text}
		}
		n["name"], n["reasons"], n["system"], n["kernel"] = text, []string{text}, text, text
		n["states"], n["conflicts"] = []string{"rewritten", text}, []object{c}
		n["boot"] = object{"time": text, "outcome": text, "exit": 5, "stage": text, "reason": text, "attempt": 3}
		n["flags"] = []object{{"code": text, "severity": text, "meaning": text, "count": 2}}
		n["others"] = []string{text, "javascript:window.pwned=1", "../../../etc/passwd", "//attacker.example", journalID(1) + "/..", journalID(1) + "\n", "%2e%2e%2f" + journalID(1)}
		nodes = append(nodes, n)
	}
	long := node(100, "wiped")
	long["name"], long["system"], long["reasons"] = strings.Repeat("long", 20_000), strings.Repeat("\u202e", 3000), []string{strings.Repeat("A", 50_000)}
	script := node(101, "alive")
	script["journal"] = "javascript:window.pwned=1//" + journalID(101)
	odd := node(102, "alive")
	odd["state"], odd["states"] = "__proto__", []string{"constructor"}
	empty := node(103, "alive")
	empty["name"] = ""
	busy := node(104, "wiped")
	var ids []string
	var flags, conflicts []object
	for i := range 5000 {
		ids = append(ids, journalID(i))
		flags = append(flags, object{"code": "flag", "severity": "warning", "meaning": "many", "count": 1})
		conflicts = append(conflicts, conflict("rewritten", journalID(i), 2, 1))
	}
	busy["others"], busy["flags"], busy["conflicts"] = ids, flags, conflicts
	nodes = append(nodes, long, script, odd, empty, busy)
	// Systems without end, for the menus.
	for i := range 3000 {
		n := node(1000+i, "alive")
		n["system"], n["kernel"] = journalID(i), "k;%3B"+journalID(i)
		nodes = append(nodes, n)
	}
	f := fleet()
	f["nodes"] = nodes
	f["stopped"] = strings.Join(hostile, " ")
	f["counts"].(object)[hostile[0]] = 3
	f["counts"].(object)["__proto__"] = 3
	return f
}

// Texts of a node never become elements, addresses, requests or code. What is
// invisible in them is shown.
func TestFleetHostile(t *testing.T) {
	h := newHub(t, hostileFleet())
	for _, v := range []view{desktop, phone} {
		tb := h.visit(t, "", v)
		clean := func(when string) {
			t.Helper()
			if bad := value[[]string](tb, `[...document.querySelectorAll("script, img, iframe, link, style, object, embed, base, meta, form[action], a[href]")]
				.filter(e => !(e.tagName === "SCRIPT" && e === document.body.lastElementChild) && !(e.tagName === "STYLE" && e.parentNode === document.head) && !(e.tagName === "META" && e.parentNode === document.head)
					&& !(e.tagName === "A" && /^(#(states|nodes)|edged\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/(report|records\.jsonl|checkpoint))$/.test(e.getAttribute("href"))))
				.map(e => e.outerHTML.slice(0, 200))`); len(bad) > 0 {
				t.Errorf("%s: %s", when, bad)
			}
			if on := value[int](tb, `[...document.querySelectorAll("*")].filter(e => [...e.attributes].some(a => a.name.startsWith("on") || a.name === "style" && !e.closest(".vt"))).length`); on > 0 {
				t.Errorf("%s: %d elements with handlers or styles", when, on)
			}
			if value[bool](tb, `"pwned" in window || "polluted" in {} || document.title !== "hub-north: the fleet"`) {
				t.Errorf("%s: the page was altered", when)
			}
			if raw := value[string](tb, `(document.body.innerText.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/) ?? [""])[0]`); raw != "" {
				t.Errorf("%s: the page shows %+q as it is", when, raw)
			}
			if w := value[int](tb, "document.documentElement.scrollWidth"); int64(w) > v.width {
				t.Errorf("%s: %d pixels wide", when, w)
			}
			if n := value[int](tb, `document.querySelectorAll("*").length`); n > 4000 {
				t.Errorf("%s: %d elements", when, n)
			}
		}
		clean("at first sight")
		names := append(slices.Clone(hostile), strings.Repeat("long", 20_000), "pump-101", "mast-102", "depot-104")
		for _, name := range names {
			// As a link that was mailed has it.
			tb.do(`location.hash = "#node=" + encodeURIComponent(` + quote(name) + `)`)
			tb.until(`document.querySelector("dialog").open && !document.querySelector(".panel-content").textContent.includes("names no such node")`)
			clean("the node " + name[:min(len(name), 40)])
		}
		tb.do(`location.hash = "#node=pump-101"`)
		tb.says("#panel-title", "pump-101")
		tb.says(".panel-content", "No links: this is not the id of a journal.")
		if n := value[int](tb, `document.querySelectorAll(".panel a").length`); n != 0 {
			t.Errorf("%d links to what is no journal", n)
		}
		tb.do(`location.hash = "#node=mast-102"`)
		tb.says(".states", "This page does not know the state.")
		tb.do(`location.hash = "#node=depot-104"`)
		tb.says(".panel-content", "show 20 more of 4,980")
		tb.do(`[...document.querySelectorAll(".panel .more")].forEach(b => b.click())`)
		clean("with more")
		if v.phone {
			tb.press("close")
		}
		tb.do(`document.querySelectorAll(".facet summary").forEach(s => s.click())`)
		clean("with the menus open")
		for col := range 9 {
			tb.do(`location.hash = "#sort=-` + strings.Fields("name state epoch system kernel boot outcome seen flags")[col] + `"`)
			tb.settle()
			clean("sorted")
		}
	}
	tb := h.visit(t, "", desktop)
	// A value with the address's own separators is found again.
	tb.do(`document.querySelector('.facet input[value^="k;"]').click()`)
	tb.says(".found", "1 of 3,021 nodes")
	tb.do(`window.at = location.hash; location.hash = ""`)
	tb.says(".found", "all 3,021 nodes")
	tb.do(`location.hash = window.at`)
	tb.says(".found", "1 of 3,021 nodes")
	// So is one that the menu has no room for.
	tb.do(`location.hash = "#system=` + journalID(2999) + `"`)
	tb.says(".found", "1 of 3,021 nodes")
	tb.says(".facet.set fieldset", journalID(2999)+"1")
	// A location may be hostile too.
	for _, place := range []string{"#node=<img src=x onerror=window.pwned=1>&q=%3Cscript%3Ewindow.pwned=1%3C/script%3E", "#state=__proto__;constructor&sort=constructor&node=__proto__", "#state=%ff&kernel=%&sort=-&node="} {
		tb := h.visit(t, place, desktop)
		tb.says(".found", "nodes")
		if value[bool](tb, `"pwned" in window`) {
			t.Error("the location was run")
		}
	}
}

func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range s {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			out.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String() + `"`
}

// Any script, style or request that gets into the page against the code is refused
// by its policy, in the header and in the page itself.
func TestFleetPolicy(t *testing.T) {
	html, policy, err := page.Fleet("hub-north")
	if err != nil {
		t.Fatal(err)
	}
	var reached atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached.Add(1)
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}))
	t.Cleanup(other.Close)
	attacks := strings.ReplaceAll(`<script>window.pwned=1</script><script src="OTHER/x.js"></script><img src="data:," onerror="window.pwned=1"><img src="OTHER/x.png"><iframe src="OTHER/"></iframe>`+
		`<style>body{display:none}</style><link rel="stylesheet" href="OTHER/x.css"><base href="OTHER/"><form action="OTHER/"><button id="send">send</button></form>`, "OTHER", other.URL)
	for _, header := range []bool{true, false} {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /fleet/{$}", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			text := strings.Replace(string(html), "<noscript>", attacks+"<noscript>", 1)
			if header {
				// The header alone.
				w.Header().Set("Content-Security-Policy", policy)
				text = strings.Replace(text, `http-equiv="Content-Security-Policy"`, `name="none"`, 1)
			}
			_, _ = w.Write([]byte(text))
		})
		mux.HandleFunc("GET /fleet/fleet.json", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"hub":"x","time":"2026-11-30T09:30:00Z","counts":{},"nodes":[],"records":0,"stopped":"","complete":true}`))
		})
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		tb := blank(t, server.URL+"/fleet/", desktop)
		tb.run(chromedp.Navigate(server.URL + "/fleet/"))
		tb.says(".found", "all 0 nodes")
		tb.do(`document.getElementById("send").click()`)
		tb.settle()
		if value[bool](tb, `"pwned" in window || getComputedStyle(document.body).display === "none" || document.baseURI !== location.href`) {
			t.Errorf("header %t: the attack was run", header)
		}
		if !value[bool](tb, `(() => { try { document.body.innerHTML = "x"; return false } catch (e) { return e instanceof TypeError } })()`) {
			t.Errorf("header %t: the policy lets markup be made from text", header)
		}
		if !value[bool](tb, `fetch("`+other.URL+`/").then(() => false, () => true)`) {
			t.Errorf("header %t: the policy lets another host be asked", header)
		}
		for _, directive := range []string{"script-src", "img-src", "style-src", "form-action", "base-uri", "connect-src"} {
			tb.expect(directive)
		}
		tb.forgive()
	}
	if n := reached.Load(); n > 0 {
		t.Errorf("another host was asked %d times", n)
	}
	// Another page cannot frame it.
	frame := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inner" {
			w.Header().Set("Content-Security-Policy", policy)
			_, _ = w.Write(html)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><iframe src="/inner"></iframe>`))
	}))
	t.Cleanup(frame.Close)
	tb := blank(t, frame.URL, desktop)
	tb.run(chromedp.Navigate(frame.URL + "/"))
	tb.settle()
	tb.expect("frame-ancestors")
	tb.forgive()
}
