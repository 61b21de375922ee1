package pagetest

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestPrint(t *testing.T) {
	tb := open(t, fixture(t, depot), "#kind=PrecheckFailed", desktop.night())
	tb.says(".found", "6 of 463 records")
	tb.media("print", "dark")
	tb.until(`document.querySelector(".paper").childElementCount > 0`)
	tb.settle()
	seen := func(selector string) bool {
		return value[bool](tb, `(e => e !== null && e.getClientRects().length > 0)(document.querySelector("`+selector+`"))`)
	}
	for _, s := range []string{".verdict", "#head-hash", ".covers", ".unjudged", ".flags li", ".tl-picture", ".print-rows td"} {
		if !seen(s) {
			t.Errorf("%s is not on paper", s)
		}
	}
	for _, s := range []string{".filter", ".vt", ".tl-tools", "#theme", ".copy", ".epoch .actions"} {
		if seen(s) {
			t.Errorf("%s is on paper", s)
		}
	}
	if n := value[int](tb, `[...document.querySelectorAll(".epoch")].filter(e => e.open && e.querySelector(".rows").getClientRects().length > 0).length`); n != 14 {
		t.Errorf("%d epochs are explained on paper", n)
	}
	if n := value[int](tb, `document.querySelectorAll(".print-rows tbody tr").length`); n != 6 {
		t.Errorf("%d records on paper", n)
	}
	tb.says(".print-rows p", "6 records of 463, as filtered.")
	if bg := value[string](tb, `getComputedStyle(document.querySelector(".verdict .word")).color`); bg != "rgb(18, 101, 58)" {
		t.Errorf("paper is not light: the verdict is %s", bg)
	}
	tb.shot("paper", true)
	tb.media("", "dark")
	tb.until(`document.querySelector(".paper").childElementCount === 0 && document.querySelectorAll(".epoch[open]").length === 0`)

	// Above the bound, paper says what it leaves out.
	tb.press("clear all")
	tb.says(".found", "all 463 records")
	tb.media("print", "light")
	tb.until(`document.querySelectorAll(".print-rows tbody tr").length === 400`)
	tb.says(".print-rows p", "Printed are the first 400; 63 are left out")
	tb.media("", "light")
	tb.until(`document.querySelector(".paper").childElementCount === 0`)

	pdf, err := chromedp.Run(tb, chromedp.PrintToPDF(chromedp.PDFPrintBackground()))
	if err != nil {
		t.Fatal(err)
	}
	if pages := bytes.Count(pdf, []byte("/Type /Page\n")); pages < 8 || pages > 60 {
		t.Errorf("%d pages", pages)
	}
	tb.until(`document.querySelector(".paper").childElementCount === 0`)
	if dir := os.Getenv("EDGED_PAGE_SHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "paper.pdf"), pdf, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
