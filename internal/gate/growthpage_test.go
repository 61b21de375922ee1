package gate

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const growthHead = `# Growth

What a node's journal comes to, and what a boot costs, as the history grows.
Written by ` + "`TestGrowth`" + ` (internal/gate): one node boots again and again
on a real disk, every flush waited for; only the start of a process is left out.
Every 500th boot finds another kernel and reconstructs. Files and bytes are of
` + "`journal/`" + `; the time is the median, the CPU time the mean, of up to 240
boots before. To write the page again:
` + "`EDGED_GROWTH_OUT=$PWD/docs make growth`" + `.

![files, bytes and time against the number of boots](growth.svg)

| boots | records | time of a boot | CPU time of a boot | files | most files after any boot | bytes | of the records' bytes |
|---:|---:|---:|---:|---:|---:|---:|---:|
`

// writeGrowth writes the page and its drawing into dir.
func writeGrowth(dir string, points []growthPoint, side growthSide) error {
	var b strings.Builder
	b.WriteString(growthHead)
	for _, p := range points {
		fmt.Fprintf(&b, "| %d | %d | %s | %s | %d | %d | %d | %.2f |\n",
			p.boots, p.records, millis(p.wall), millis(p.cpu), p.files, p.most, p.disk, float64(p.disk)/float64(p.raw))
	}
	fmt.Fprintf(&b, `
The machine had other work meanwhile, so the times of different lines do not
compare. What does: at the end the old node and itself as it was after 10 boots
booted in turn, %d times each, with as many records in their tails. The old one's boot took **%.2f** times as long
(median %s and %s), in CPU time %.2f times (%s and %s).

The start of a process costs both the same and is left out here; with it the
ratio is smaller (`+"`make bench`"+`).

The limits: at most %d files after any boot, at most 1.5 times the records'
bytes and 8 MiB; the test fails beyond them. A plain run of the tests makes 1,000 boots.
`, side.pairs, side.ratio(), millis(side.old), millis(side.young), side.ratioCPU(), millis(side.oldCPU), millis(side.youngCPU), mostFiles)
	if err := os.WriteFile(filepath.Join(dir, "growth.md"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "growth.svg"), []byte(growthDrawing(points)), 0o644)
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// panel is one of the drawing's diagrams: lines over the number of boots, from
// 0 or, where a power of ten matters, logarithmic.
type panel struct {
	title string
	log   bool
	lines []panelLine
}

type panelLine struct {
	name, colour string
	at           func(p growthPoint) float64
}

// growthDrawing draws the points, three panels one above the other.
func growthDrawing(points []growthPoint) string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	panels := []panel{
		{"a boot, milliseconds", false, []panelLine{
			{"time", "#1f5fa8", func(p growthPoint) float64 { return ms(p.wall) }},
			{"CPU time", "#c0392b", func(p growthPoint) float64 { return ms(p.cpu) }},
		}},
		{"files under journal/", false, []panelLine{
			{"most after any boot", "#1f5fa8", func(p growthPoint) float64 { return float64(p.most) }},
			{"now", "#c0392b", func(p growthPoint) float64 { return float64(p.files) }},
		}},
		{"bytes under journal/", true, []panelLine{
			{"of all files", "#1f5fa8", func(p growthPoint) float64 { return float64(p.disk) }},
			{"of the records", "#c0392b", func(p growthPoint) float64 { return float64(p.raw) }},
		}},
	}
	const width, height = 640, 180
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" role="img" aria-label="cost of a boot and size of the journal against the number of boots">`+"\n",
		width, height*len(panels)+24)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height*len(panels)+24)
	for i, p := range panels {
		p.draw(&b, points, width, height, i*height)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">boots</text>`+"\n</svg>\n", width/2, height*len(panels)+16)
	return b.String()
}

// draw draws the panel with its upper edge at top.
func (p panel) draw(b *strings.Builder, points []growthPoint, width, height, top int) {
	const left, right, above, below = 80, 20, 30, 24
	least, most := math.Inf(1), 0.0
	for _, pt := range points {
		for _, l := range p.lines {
			least, most = min(least, l.at(pt)), max(most, l.at(pt))
		}
	}
	low, high := 0.0, most*1.1
	if p.log {
		low, high = math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	}
	first, last := math.Log10(float64(points[0].boots)), math.Log10(float64(points[len(points)-1].boots))
	x := func(boots int) float64 {
		return left + (math.Log10(float64(boots))-first)/max(last-first, 1e-9)*float64(width-left-right)
	}
	y := func(v float64) float64 {
		if p.log {
			v = math.Log10(v)
		}
		return float64(top+height-below) - (v-low)/(high-low)*float64(height-above-below)
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", left, top+16, p.title)
	for i := range 3 {
		v := low + (high-low)*float64(i)/2
		if p.log {
			v = math.Pow(10, v)
		}
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y(v), width-right, left-6, y(v)+4, number(v))
	}
	for boots := 10; boots <= points[len(points)-1].boots; boots *= 10 {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(boots), top+height-below+15, number(float64(boots)))
	}
	for i, l := range p.lines {
		var d strings.Builder
		for j, pt := range points {
			fmt.Fprintf(&d, "%s%.1f %.1f", map[bool]string{true: "M", false: "L"}[j == 0], x(pt.boots), y(l.at(pt)))
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/><text x="%d" y="%d" text-anchor="end" fill="%s">%s</text>`+"\n",
			d.String(), l.colour, width-right-i*150, top+16, l.colour, l.name)
	}
}

// number writes a tick's value: thousands as k, millions as M.
func number(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3g M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%.3g k", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}

// The page says what was measured, and the drawing stays within its frame.
func TestGrowthPage(t *testing.T) {
	var points []growthPoint
	for _, boots := range []int{10, 100, 1000} {
		points = append(points, growthPoint{boots: boots, records: uint64(boots), raw: int64(boots) * 1000, disk: int64(boots) * 1100,
			files: 7, most: 20, wall: 9 * time.Millisecond, cpu: 11 * time.Millisecond})
	}
	dir := t.TempDir()
	side := growthSide{old: 12 * time.Millisecond, young: 10 * time.Millisecond, oldCPU: 11 * time.Millisecond, youngCPU: 10 * time.Millisecond, pairs: 60}
	if err := writeGrowth(dir, points, side); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "growth.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"| 100 | 100 | 9.0 ms | 11.0 ms | 7 | 20 | 110000 | 1.10 |", "**1.20**", "in CPU time 1.10", "(growth.svg)"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("no %q in\n%s", part, page)
		}
	}
	svg := growthDrawing(points)
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Count(svg, "<path") != 3*(3+2) {
		t.Errorf("the drawing:\n%s", svg)
	}
}
