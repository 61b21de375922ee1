package pagetest

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Wide and narrow, light and dark: nothing is wider than the window. With
// EDGED_PAGE_SHOTS, pictures of each are for people to look at.
func TestFleetWidth(t *testing.T) {
	h := newHub(t, fleet(five()...))
	for _, v := range []view{desktop, desktop.night(), phone, phone.night()} {
		tb := h.visit(t, "", v)
		label := "fleet-" + strings.ReplaceAll(v.String(), " ", "-")
		narrow := func(when string) {
			if w := value[int](tb, "document.documentElement.scrollWidth"); int64(w) > v.width {
				t.Errorf("%s %s: the page is %d pixels wide", v, when, w)
			}
		}
		narrow("at first sight")
		tb.shot(label, false)
		tb.do(`location.hash = "#node=depot-00"`)
		tb.says("#panel-title", "depot-00")
		narrow("with a node")
		tb.shot(label+"-node", false)
		tb.do(`document.querySelector(".sides").scrollIntoView()`)
		tb.settle()
		tb.shot(label+"-conflict", false)
		f := fleet(five()...)
		f["stopped"], f["complete"] = "a node has a checkpoint that the hub signed and no longer knows: the store was rolled back", false
		h.set(f)
		tb.do(`document.querySelector(".panel-close").click()`)
		tb.press("reload")
		tb.says(".stopped", "The hub signs nothing: a node has")
		tb.says(".incomplete", "still reading its store")
		narrow("stopped")
		tb.shot(label+"-stopped", false)
		h.set(fleet(five()...))
	}
}

// picture writes a picture for the documents, in the 256 colours that it has most
// of: half as many bytes, and the difference is not seen.
func (tb *tab) picture(name string) {
	tb.t.Helper()
	tb.shot(name, false)
	dir := os.Getenv("EDGED_PAGE_SHOTS")
	if dir == "" {
		return
	}
	path := filepath.Join(dir, name+".png")
	data, err := os.ReadFile(path) //nolint:gosec // written by this test
	if err != nil {
		tb.t.Fatal(err)
	}
	from, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		tb.t.Fatal(err)
	}
	counts := map[color.Color]int{}
	for y := range from.Bounds().Dy() {
		for x := range from.Bounds().Dx() {
			counts[from.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return cmp.Compare(counts[b], counts[a]) })
	to := image.NewPaletted(from.Bounds(), colours[:min(len(colours), 256)])
	draw.Draw(to, to.Bounds(), from, image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, to); err != nil {
		tb.t.Fatal(err)
	}
	if out.Len() > 150<<10 {
		tb.t.Errorf("%s has %d bytes", path, out.Len())
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		tb.t.Fatal(err)
	}
}

// The pictures of the documents: EDGED_PAGE_SHOTS=../../../docs.
func TestFleetPicture(t *testing.T) {
	var nodes []object
	for i := range 240 {
		state := "alive"
		switch i {
		case 17:
			state = "rolled_back"
		case 40, 93, 121:
			state = "failing"
		case 66, 130, 150, 151:
			state = "flagged"
		case 73, 74, 75, 200, 201, 202, 203:
			state = "behind"
		case 88:
			state = "silent"
		case 104:
			state = "rewritten"
		case 160:
			state = "never_seen"
		case 170:
			state = "salvaged"
		}
		nodes = append(nodes, node(i, state))
	}
	h := newHub(t, fleet(nodes...))
	v := desktop
	v.height = 1080
	tb := h.visit(t, "#node=depot-104", v)
	tb.says("#panel-title", "depot-104")
	time.Sleep(300 * time.Millisecond) // fonts
	tb.do(`document.activeElement.blur(); scrollTo(0, 0); document.querySelector(".panel-content").scrollTop = 0`)
	tb.settle()
	tb.picture("fleet")
	v = phone
	v.height = 1000
	tb = h.visit(t, "", v)
	tb.settle()
	tb.picture("fleet-phone")
}
