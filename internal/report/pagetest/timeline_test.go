package pagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stage returns a point of the timeline, in pixels of the window.
func (tb *tab) stage(share, y float64) (float64, float64) {
	tb.t.Helper()
	tb.do(`document.querySelector(".tl").scrollIntoView({block: "center"})`)
	box := value[[]float64](tb, `(b => [b.left, b.top, b.width])(document.querySelector(".tl-stage").getBoundingClientRect())`)
	return box[0] + share*box[2], box[1] + y
}

// sight returns how many days the timeline shows.
func (tb *tab) sight() float64 {
	tb.t.Helper()
	return value[float64](tb, `(([a, b]) => b ? (Date.parse(b) - Date.parse(a)) / 864e5 : 726)((new URLSearchParams(location.hash.slice(1)).get("view") ?? "").split(","))`)
}

func TestTimelineKeys(t *testing.T) {
	tb := open(t, fixture(t, depot), "", desktop)
	tb.do(`document.querySelector(".tl-stage").focus()`)
	tb.keys("+", "+")
	if d := tb.sight(); d < 150 || d > 200 {
		t.Errorf("two steps in show %.1f days", d)
	}
	before := value[string](tb, "location.hash")
	tb.keys(kb.ArrowRight)
	if after := value[string](tb, "location.hash"); after == before {
		t.Error("an arrow does not move the timeline")
	}
	tb.keys(kb.Home)
	if hash := value[string](tb, "location.hash"); hash != "" && hash != "#" {
		t.Error(hash)
	}
	// From mark to mark, and into one boot.
	tb.keys("n", "n", "n", "n")
	tb.says(".tl-readout", "record 76, 2024-06-30T03:01:00Z: boot-unfinished")
	for range 28 {
		tb.keys("+")
	}
	tb.says(".tl-picture", "76 OpApplied")
	tb.shot("timeline-boot", false)
	tb.keys("p")
	tb.says(".tl [role=status]", "record 73")
	tb.keys("n", kb.Enter)
	tb.says("#panel-title", "Record 76")
}

func TestTimelineMouse(t *testing.T) {
	tb := open(t, fixture(t, depot), "", desktop)
	// Ctrl and wheel zoom where the pointer is; a wheel alone scrolls the page.
	x, y := tb.stage(0.5, 100)
	wheel := func(dy float64, modifiers int64) {
		call(tb, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseWheel, X: x, Y: y, DeltaX: 0.01, DeltaY: dy, Modifiers: modifiers})
		tb.settle()
	}
	wheel(60, 0)
	if d := tb.sight(); d != 726 {
		t.Errorf("a wheel alone zooms to %.1f days", d)
	}
	x, y = tb.stage(0.5, 100)
	wheel(-240, 2)
	if d := tb.sight(); d > 600 {
		t.Errorf("Ctrl and wheel leave %.1f days", d)
	}
	before := value[string](tb, "location.hash")
	tb.run(chromedp.DragAndDropXY(x, y, x-200, y))
	tb.settle()
	if after := value[string](tb, "location.hash"); after == before {
		t.Error("a drag does not move the timeline")
	}
	tb.press("Show all time")
	// A click on an epoch zooms to it; a click on a mark opens its record.
	x, y = tb.stage(0.13, 15)
	tb.run(chromedp.MouseClickXY(x, y))
	tb.settle()
	if d := tb.sight(); d < 60 || d > 90 {
		t.Errorf("epoch 1 shows %.1f days", d)
	}
	tb.press("explain epoch 1")
	tb.says(".epoch[open] h3", "the operating system changed")
	if hash := value[string](tb, "location.hash"); !strings.Contains(hash, "explain=1") {
		t.Error(hash)
	}
	tb.press("only this time in the table")
	tb.says(".found", "of 463 records")
	if n := tb.found(); n < 30 || n > 60 {
		t.Errorf("%d records of epoch 1", n)
	}
	tb.press("Show all time")
	tb.do(`[...document.querySelectorAll("button.tl-name")].find(b => b.textContent.includes("failed")).click()`)
	tb.says(".found", "16 of 463 records")
	x, y = tb.stage(0.9, 40) // about the failed boot of December 2025
	at := value[float64](tb, `(() => { const p = document.querySelector(".mark.failed").getAttribute("d").split("M").map(s => parseFloat(s)).filter(n => n > 0); return p[p.length - 1] })()`)
	left := value[float64](tb, `document.querySelector(".tl-stage").getBoundingClientRect().left`)
	tb.run(chromedp.MouseClickXY(left+at, y+6))
	tb.says("#panel-title", "Record 435")
}

func TestTimelineTouch(t *testing.T) {
	tb := open(t, fixture(t, depot), "", phone)
	x, y := tb.stage(0.5, 100)
	touch := func(kind input.DispatchTouchEventType, spread float64) {
		points := []*input.TouchPoint{{X: x - spread, Y: y, ID: ptr(1.0)}, {X: x + spread, Y: y, ID: ptr(2.0)}}
		if kind == input.DispatchTouchEventTypeTouchEnd {
			points = []*input.TouchPoint{}
		}
		call(tb, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
	}
	touch(input.DispatchTouchEventTypeTouchStart, 20)
	for s := 25.0; s <= 80; s += 5 {
		touch(input.DispatchTouchEventTypeTouchMove, s)
	}
	touch(input.DispatchTouchEventTypeTouchEnd, 0)
	tb.settle()
	if d := tb.sight(); d > 300 {
		t.Errorf("a pinch leaves %.1f days", d)
	}
}

func ptr[T any](v T) *T { return &v }

// A window that was mailed.
func TestTimelinePlace(t *testing.T) {
	mailed := open(t, fixture(t, depot), "#explain=8", desktop)
	mailed.says(".epoch[open] .rows", "Fedora")
	tb := open(t, fixture(t, depot), "#view=2025-05-06T00:00:00.000Z,2025-05-07T00:00:00.000Z", desktop)
	tb.says(".tl-readout", "4 boots, 3 failed")
	if d := tb.sight(); fmt.Sprintf("%.2f", d) != "1.00" {
		t.Error(d)
	}
}
