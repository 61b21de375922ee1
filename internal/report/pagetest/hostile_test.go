package pagetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hostile are texts that attack a page, a reader or a terminal.
var hostile = []string{
	`<script>window.pwned=1;alert(1)</script>`,
	`</script><script>window.pwned=1</script>`,
	`</style><style>*{display:none}</style>`,
	`<img src=x onerror="window.pwned=1"><svg onload=window.pwned=1>`,
	`"><iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
	`<a href="javascript:window.pwned=1">click</a>`,
	`<link rel=stylesheet href=//attacker.example/x.css><meta http-equiv=refresh content=0;url=//attacker.example>`,
	`<!--<script>`, `]]><!--`, `{{constructor.constructor("window.pwned=1")()}}`, `${window.pwned=1}`,
	"\u202egpj.exe\u202c \u2066isolated\u2069 \u200bzero\u200d width \ufeff",
	"\u001b[2J\u001b]0;title\u0007\u001b[31mred",
	"Z\u0353\u0354\u0355\u0356\u0357\u0358\u0359\u035a\u035b\u035c\u035d\u035e\u035f\u0360algo",
	`__proto__`, `#record=1&q=<img src=x onerror=window.pwned=1>`,
}

// Texts of a record never become elements, requests or code. What is invisible in
// them is shown.
func TestHostile(t *testing.T) {
	e := from(t, depot, 29)
	first := from(t, depot, 2).tip
	renamed := from(t, depot, 382).tip
	failed := from(t, depot, 435).tip
	osRelease := "PRETTY_NAME=\"" + strings.Join(hostile, " ") + "\"\n" + strings.Join(hostile, "\n")
	e.add(first, time.Hour, map[string]any{"role": "differs", "os_release": osRelease, "software": hostile[1]})
	for _, text := range hostile {
		e.add(renamed, time.Hour, map[string]any{"by": text, "reason": text, "old": e.tip.Node, "new": text})
		e.add(failed, time.Hour, map[string]any{"reason": text, "path": text, "next": text})
	}
	e.add(renamed, time.Hour, map[string]any{"reason": strings.Repeat("A", 50_000), "old": "a", "new": "b"})
	odd := renamed
	odd.Type, odd.Crit = hostile[0], false
	e.add(odd, time.Hour, nil)
	e.out.WriteString("no JSON at all " + hostile[1] + "\n")
	e.out.WriteString(`{"seq":"` + hostile[0] + `","type":7,"data":[]}` + "\n")
	path := fixture(t, e.file())

	for _, v := range []view{desktop, phone} {
		tb := open(t, path, "", v)
		clean := func(when string) {
			if bad := value[[]string](tb, `[...document.querySelectorAll("script:not([type]), img, iframe, link, style, object, embed, base, meta, form[action], a[href]")]
				.filter(e => !(e.tagName === "SCRIPT" && e === document.body.lastElementChild) && !(e.tagName === "STYLE" && e.parentNode === document.head) && !(e.tagName === "META" && e.parentNode === document.head)
					&& !(e.tagName === "A" && /^#(timeline|flags|records|epochs|record=\d+)$/.test(e.getAttribute("href"))))
				.map(e => e.outerHTML.slice(0, 200))`); len(bad) > 0 {
				t.Errorf("%s: %s", when, bad)
			}
			if on := value[int](tb, `[...document.querySelectorAll("*")].filter(e => [...e.attributes].some(a => a.name.startsWith("on") || a.name === "style" && !e.closest(".vt, .tl"))).length`); on > 0 {
				t.Errorf("%s: %d elements with handlers or styles", when, on)
			}
			if value[bool](tb, `"pwned" in window || "polluted" in {} || document.title === "title"`) {
				t.Errorf("%s: the page was altered", when)
			}
			if raw := value[string](tb, `(document.body.innerText.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/) ?? [""])[0]`); raw != "" {
				t.Errorf("%s: the page shows %+q as it is", when, raw)
			}
			if w := value[int](tb, "document.documentElement.scrollWidth"); int64(w) > v.width {
				t.Errorf("%s: %d pixels wide", when, w)
			}
		}
		clean("at first sight")
		n := tb.found()
		for i := range n {
			if i < 28 {
				continue // records of the fixture
			}
			tb.do(fmt.Sprintf("location.hash = '#record=%d'", i+1))
			if i == 29 {
				tb.says("#panel-title", "Record 30")
				tb.says(".panel-content", `\u202e`)
				tb.says(".panel-content", `\u001b`)
				clean("the os-release")
			}
		}
		tb.do(`document.querySelectorAll(".epoch summary").forEach(s => s.click())`)
		tb.settle()
		clean("with everything open")
		if n := value[int](tb, `document.querySelectorAll("*").length`); n > 4000 {
			t.Errorf("%d nodes", n)
		}
	}
	// A location may be hostile too.
	tb := open(t, path, "#record=<img src=x onerror=window.pwned=1>&q=%3Cscript%3Ewindow.pwned=1%3C/script%3E&kind=__proto__&view=x,y&epoch=-1&from=%ff", desktop)
	tb.says(".found", "records")
	if value[bool](tb, `"pwned" in window`) {
		t.Error("the location was run")
	}
	tb.shot("hostile", true)
}

// Any script, style or request that gets into a page against the code is refused
// by its policy.
func TestPolicy(t *testing.T) {
	original, err := os.ReadFile(fixture(t, harbour))
	if err != nil {
		t.Fatal(err)
	}
	for name, attack := range map[string]string{
		"script":  `<script>window.pwned=1</script>`,
		"handler": `<img src="data:," onerror="window.pwned=1">`,
		"request": `<img src="https://attacker.example/x.png">`,
		"frame":   `<iframe src="https://attacker.example/"></iframe>`,
		"style":   `<style>body{display:none}</style>`,
		"form":    `<form action="https://attacker.example/"><button id="send">send</button></form>`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "page.html")
			if err := os.WriteFile(path, []byte(strings.Replace(string(original), "<noscript>", attack+"<noscript>", 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			tb := open(t, path, "", desktop)
			if name == "form" {
				tb.do(`document.getElementById("send").click()`)
				tb.settle()
			}
			if value[bool](tb, `"pwned" in window || getComputedStyle(document.body).display === "none"`) {
				t.Error("the attack was run")
			}
			tb.mu.Lock()
			defer tb.mu.Unlock()
			refused := 0
			for _, w := range tb.wrong {
				if strings.HasPrefix(w, "logs ") && strings.Contains(w, "Content Security Policy") {
					refused++
				}
			}
			if refused == 0 {
				t.Errorf("nothing was refused: %q", tb.wrong)
			}
			tb.wrong = nil
		})
	}
	tb := open(t, fixture(t, harbour), "", desktop)
	if !value[bool](tb, `(() => { try { document.body.innerHTML = "x"; return false } catch (e) { return e instanceof TypeError } })()`) {
		t.Error("the page's policy lets markup be made from text")
	}
	tb.forgive()
}
