package display

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// Difference returns the differences between two points as a screen. from and to
// name the points.
func Difference(from, to string, d replay.Difference) string {
	r := &rows{names: 18}
	r.row("from", "%s", from)
	r.row("to", "%s", to)
	r.difference(d)
	return r.b.String()
}

// DifferenceRows returns the differences between two points.
func DifferenceRows(d replay.Difference) []Row {
	var r rows
	r.difference(d)
	return r.list
}

func (r *rows) difference(d replay.Difference) {
	if d.Same() {
		r.row("", "nothing differs except the records in between")
		return
	}
	for _, c := range d.Changes {
		r.change(strings.ReplaceAll(c.What, "_", " "), cmp.Or(c.From, "none"), cmp.Or(c.To, "none"))
	}
	if len(d.OSRelease) > 0 || d.OSReleaseTruncated {
		r.row("os-release", "")
		for _, l := range d.OSRelease {
			r.signed(2, l.Op, l.Text)
		}
		r.truncated(2, d.OSReleaseTruncated)
	}
	for _, f := range d.Files {
		r.change(f.Path, place(f.From), place(f.To))
	}
}

// change adds two values on one row, or on several if they are long.
func (r *rows) change(name, from, to string) {
	if row := fmt.Sprintf("%-*s %s -> %s", r.names, Clean(name), Clean(from), Clean(to)); len(row) <= Width {
		r.list = append(r.list, Row{Name: Clean(name), Text: Clean(from) + " -> " + Clean(to)})
		r.line(row)
		return
	}
	r.list = append(r.list, Row{Name: Clean(name)})
	for _, line := range fold(Clean(name), Width) {
		r.line(line)
	}
	r.signed(2, "-", from)
	r.signed(2, "+", to)
}

// lines adds the lines in which two texts differ.
func (r *rows) lines(all []replay.Line) {
	for _, l := range all {
		r.signed(r.names+1, l.Op, l.Text)
	}
}

// truncated adds a note if a comparison of os-release may lack lines.
func (r *rows) truncated(indent int, cut bool) {
	if cut {
		const note = "(the recorded text was cut: later lines are not compared)"
		r.list = append(r.list, Row{Text: note})
		r.line(strings.Repeat(" ", indent) + note)
	}
}

func place(f *replay.Installed) string {
	if f == nil {
		return "not installed"
	}
	return fmt.Sprintf("%s, %d bytes, %s", Short(f.BLAKE3), f.Bytes, f.Mode)
}

func list(causes []machine.Cause) string {
	names := make([]string, len(causes))
	for i, c := range causes {
		names[i] = string(c)
	}
	return strings.Join(names, ", ")
}
