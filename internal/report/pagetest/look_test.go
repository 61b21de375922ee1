package pagetest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The page says what the tool says, and checks the chain itself.
func TestTop(t *testing.T) {
	tb := open(t, fixture(t, depot), "", desktop)
	tb.says("h1", "harbour-02")
	tb.says(".verdict .word", "intact")
	tb.says("#head-hash", "16bac77d1b02f1ed764eef29a93bf3db6ea1f5e3afd0a28b4e0c8e2372d066ba")
	tb.says("#chain", "462 links hold, and the newest record has the hash of the head")
	tb.says(".tl-readout", "342 boots, 6 failed, 3 not ended")
	tb.says(".found", "all 463 records")
	if n := value[int](tb, `document.querySelectorAll(".epoch").length`); n != 14 {
		t.Errorf("%d epochs", n)
	}
	if n := value[int](tb, `document.querySelectorAll(".flags li").length`); n != 17 {
		t.Errorf("%d flags", n)
	}
	if bad := value[string](tb, `[...document.querySelectorAll("[style]")].filter(e => e.outerHTML.includes("style=\"\"")).map(e => e.tagName).join()`); bad != "" {
		t.Error(bad)
	}
}

// Both fixtures, wide and narrow: nothing is wider than the window. With
// EDGED_PAGE_SHOTS, pictures of each are for people to look at.
func TestWidth(t *testing.T) {
	for name, journal := range map[string]string{"depot": depot, "harbour": harbour} {
		path := fixture(t, journal)
		views := []view{desktop, phone.night()}
		if os.Getenv("EDGED_PAGE_SHOTS") != "" {
			views = append(views, desktop.night(), phone)
		}
		for _, v := range views {
			tb := open(t, path, "", v)
			label := name + "-" + strings.ReplaceAll(v.String(), " ", "-")
			if w := value[int](tb, "document.documentElement.scrollWidth"); int64(w) > v.width {
				t.Errorf("%s %s: the page is %d pixels wide", name, v, w)
			}
			tb.shot(label, true)
			tb.do(`location.hash = "#record=2"`)
			tb.until(`document.querySelector("dialog").open`)
			tb.settle()
			tb.shot(label+"-record", false)
			if w := value[int](tb, "document.documentElement.scrollWidth"); int64(w) > v.width {
				t.Errorf("%s %s with a record: the page is %d pixels wide", name, v, w)
			}
			if v.phone {
				tb.press("close")
			}
			tb.do(fmt.Sprintf(`document.querySelectorAll(".epoch summary")[%d].click()`, 1))
			tb.settle()
			tb.do(`document.querySelectorAll(".epoch")[1].scrollIntoView()`)
			tb.settle()
			tb.shot(label+"-epoch", false)
			if w := value[int](tb, "document.documentElement.scrollWidth"); int64(w) > v.width {
				t.Errorf("%s %s with an epoch: the page is %d pixels wide", name, v, w)
			}
		}
	}
}
