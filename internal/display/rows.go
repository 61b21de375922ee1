package display

import (
	"fmt"
	"strings"
)

// Row is one row of a screen, of printable ASCII.
type Row struct {
	Name string `json:"name"` // "" continues the row above
	Text string `json:"text"`
	// Op is + or - if the text is a line that was added or removed.
	Op string `json:"op"`
}

// rows builds a screen of named values, one a row, folded at Width.
type rows struct {
	b     strings.Builder
	list  []Row // the same, not folded and without headings
	names int   // columns of the names
}

// row adds a value. The name "" continues the row above. A long value continues
// below its first line.
func (r *rows) row(name, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.list = append(r.list, Row{Name: Clean(name), Text: Clean(text)})
	r.folded(fmt.Sprintf("%-*s ", r.names, Clean(name)), text)
}

// signed adds a line of a text after a sign, - or +. A long line continues below
// the text.
func (r *rows) signed(indent int, sign, text string) {
	r.list = append(r.list, Row{Op: sign, Text: Clean(text)})
	r.folded(strings.Repeat(" ", indent)+sign+" ", text)
}

// folded adds a text after prefix, folded at Width.
func (r *rows) folded(prefix, text string) {
	indent := strings.Repeat(" ", len(prefix))
	for i, line := range fold(Clean(text), Width-len(prefix)) {
		if i > 0 {
			prefix = indent
		}
		r.line(prefix + line)
	}
}

func (r *rows) line(s string) {
	r.b.WriteString(strings.TrimRight(s, " "))
	r.b.WriteByte('\n')
}

// fold breaks printable ASCII into lines of at most width columns, at spaces if
// possible.
func fold(s string, width int) []string {
	var out []string
	for {
		line, remainder := split(s, width)
		out = append(out, line)
		if remainder == "" {
			return out
		}
		s = remainder
	}
}

// split splits s after its first line of at most width columns.
func split(s string, width int) (line, remainder string) {
	if len(s) <= width {
		return s, ""
	}
	at := strings.LastIndexByte(s[:width+1], ' ')
	if strings.TrimSpace(s[:max(at, 0)]) == "" {
		at = width
	}
	return strings.TrimRight(s[:at], " "), strings.TrimLeft(s[at:], " ")
}
