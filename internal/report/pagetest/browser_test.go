package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// bin is the folder of edgectl.
var bin = os.Getenv("EDGED_BIN")

// browser is one Chromium with an empty profile, for all tests.
var browser = sync.OnceValues(func() (context.Context, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("hide-scrollbars", false), chromedp.WSURLReadTimeout(time.Minute))
	ctx, _ := chromedp.NewExecAllocator(context.Background(), options...) // ends with this process
	ctx, _ = chromedp.NewContext(ctx)                                     // ends with ctx too
	return ctx, chromedp.Do(ctx)
})

// view is how a page is looked at.
type view struct {
	width, height int64
	phone, dark   bool
}

var (
	desktop = view{width: 1280, height: 900}
	phone   = view{width: 360, height: 740, phone: true}
)

func (v view) night() view { v.dark = true; return v }

func (v view) String() string {
	name := "desktop"
	if v.phone {
		name = "phone"
	}
	if v.dark {
		return name + " dark"
	}
	return name + " light"
}

// tab is an open page. When the test ends, it must have requested nothing, and
// nothing in it may have gone wrong.
type tab struct {
	context.Context
	t   *testing.T
	own string // what it may request begins with this

	mu    sync.Mutex
	wrong []string
}

// open opens the page of a report, and waits until it has read its records.
func open(t *testing.T, path, hash string, v view) *tab {
	t.Helper()
	tb := blank(t, "file://"+path, v)
	tb.run(chromedp.Navigate("file://" + path + hash))
	tb.until(`document.querySelector(".vt-row[data-i], .unreadable") !== null && !document.getElementById("chain")?.textContent.includes("computing")`)
	return tb
}

// blank opens an empty page, which may request what begins with own.
func blank(t *testing.T, own string, v view) *tab {
	t.Helper()
	if bin == "" {
		t.Skip("runs under make page (EDGED_BIN names the folder of edgectl)")
	}
	parent, err := browser()
	if err != nil {
		t.Fatalf("no browser: %v", err)
	}
	ctx, cancel := chromedp.NewContext(parent)
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	tb := &tab{Context: ctx, t: t, own: own}
	if err := chromedp.Listen(ctx, tb.watch); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	call(tb, network.Enable, network.EnableParams{})
	call(tb, log.Enable, cdp.Empty{})
	call(tb, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: v.width, Height: v.height, DeviceScaleFactor: 1, Mobile: v.phone})
	call(tb, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: v.phone, MaxTouchPoints: 2})
	tb.media("", scheme)
	t.Cleanup(func() {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		for _, w := range tb.wrong {
			t.Errorf("%s: %s", filepath.Base(own), w)
		}
	})
	return tb
}

// watch notes what a page may not do.
func (tb *tab) watch(event any) {
	what := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, tb.own) {
			what = "requests " + e.Request.URL
		}
	case *page.EventJavascriptDialogOpening:
		what = "opens a dialog: " + e.Message
	case *page.EventWindowOpen:
		what = "opens a window: " + e.URL
	case *runtime.EventExceptionThrown:
		what = fmt.Sprintf("throws %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
			what = "logs " + e.Entry.Text
		}
	}
	if what != "" {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.wrong = append(tb.wrong, what)
	}
}

// expect requires that something went wrong, as intended, and forgets it.
func (tb *tab) expect(what string) {
	tb.t.Helper()
	tb.mu.Lock()
	defer tb.mu.Unlock()
	n := len(tb.wrong)
	tb.wrong = slices.DeleteFunc(tb.wrong, func(w string) bool { return strings.Contains(w, what) })
	if len(tb.wrong) == n {
		tb.t.Errorf("nothing %q: %q", what, tb.wrong)
	}
}

// forgive forgets what went wrong.
func (tb *tab) forgive() {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.wrong = nil
}

func (tb *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := chromedp.Do(tb, actions...); err != nil {
		tb.t.Fatal(err)
	}
}

func call[P, R any](tb *tab, cmd cdp.Command[P, R], params P) {
	tb.t.Helper()
	if _, err := chromedp.Call(tb, cmd, params); err != nil {
		tb.t.Fatalf("%s: %v", cmd.Method, err)
	}
}

// media emulates a medium ("" for the screen) and a preference of colours.
func (tb *tab) media(medium, scheme string) {
	tb.t.Helper()
	call(tb, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium, Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
}

// value returns the value of an expression.
func value[T any](tb *tab, expression string) T {
	tb.t.Helper()
	out, err := chromedp.Run(tb, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.t.Fatalf("%s: %v", expression, err)
	}
	return out
}

// do runs statements in the page.
func (tb *tab) do(statements string) {
	tb.t.Helper()
	value[bool](tb, "(()=>{"+statements+"; return true})()")
}

// until waits for a condition.
func (tb *tab) until(condition string) {
	tb.t.Helper()
	for range 600 {
		if value[bool](tb, condition) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	tb.t.Fatalf("never: %s\nthe page says: %.300s", condition, value[string](tb, "document.body.innerText"))
}

// text returns the text of the first element that matches.
func (tb *tab) text(selector string) string {
	tb.t.Helper()
	return value[string](tb, fmt.Sprintf("document.querySelector(%q)?.textContent ?? 'NOT THERE'", selector))
}

// says requires a text in an element, in time.
func (tb *tab) says(selector, text string) {
	tb.t.Helper()
	for range 60 {
		if strings.Contains(tb.text(selector), text) {
			return
		}
		time.Sleep(30 * time.Millisecond)
	}
	tb.t.Errorf("%s is %q, want %q in it", selector, tb.text(selector), text)
}

// keys presses keys, one after the other.
func (tb *tab) keys(keys ...string) {
	tb.t.Helper()
	for _, k := range keys {
		tb.run(chromedp.KeyEvent(k))
	}
	tb.settle()
}

// click clicks the middle of an element, as a mouse does.
func (tb *tab) click(selector string) {
	tb.t.Helper()
	tb.run(chromedp.ScrollIntoView(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
	tb.settle()
}

// press clicks the button with a text or a label.
func (tb *tab) press(name string) {
	tb.t.Helper()
	tb.do(fmt.Sprintf(`const b = [...document.querySelectorAll("button")].find(b => b.textContent.trim() === %[1]q || b.getAttribute("aria-label") === %[1]q); if (!b) throw new Error("no button " + %[1]q); b.click()`, name))
	tb.settle()
}

// settle waits until what is due in the next frames is drawn.
func (tb *tab) settle() {
	tb.t.Helper()
	value[bool](tb, "new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))), 160))")
}

// shot writes a picture of the page below EDGED_PAGE_SHOTS, for people.
func (tb *tab) shot(name string, whole bool) {
	tb.t.Helper()
	dir := os.Getenv("EDGED_PAGE_SHOTS")
	if dir == "" {
		return
	}
	action := chromedp.CaptureScreenshot()
	if whole {
		action = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(tb, action)
	if err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		tb.t.Fatal(err)
	}
}

// fixture returns the page of a history.
func fixture(t *testing.T, journal string) string {
	t.Helper()
	if bin == "" {
		t.Skip("runs under make page (EDGED_BIN names the folder of edgectl)")
	}
	out := filepath.Join(t.TempDir(), "page.html")
	if text, err := exec.Command(filepath.Join(bin, "edgectl"), "report", "--html", out, "--journal", journal).CombinedOutput(); err != nil { //nolint:gosec // our binary
		if _, written := os.Stat(out); written != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return out
}

const (
	depot   = "../../../fixtures/twoyears/depot-07.jsonl"
	harbour = "../../../fixtures/twoyears/harbour-02.jsonl"
)

// found returns the number of rows of the table.
func (tb *tab) found() int {
	tb.t.Helper()
	return value[int](tb, `Number(document.querySelector(".vt").getAttribute("aria-rowcount")) - 1`)
}

// requireJSON decodes what edgectl prints.
func requireJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin, "edgectl"), args...).Output() //nolint:gosec // our binary
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}
