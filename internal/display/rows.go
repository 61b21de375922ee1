package display

import (
	"fmt"
	"strings"
)

// rows builds a screen of named values: one a row, folded at Width.
type rows struct {
	b     strings.Builder
	names int // columns of the names
}

// row adds a value; "" as its name continues the one above. What does not fit
// goes on beneath it.
func (r *rows) row(name, format string, args ...any) {
	first := fmt.Sprintf("%-*s ", r.names, Clean(name))
	indent := strings.Repeat(" ", len(first))
	for i, part := range fold(Clean(fmt.Sprintf(format, args...)), Width-len(first)) {
		if i > 0 {
			first = indent
		}
		r.line(first + part)
	}
}

// verbatim adds a line that is cut, not folded: one of a file.
func (r *rows) verbatim(indent int, text string) {
	r.line(Cut(strings.Repeat(" ", indent)+Clean(text), Width))
}

func (r *rows) line(s string) {
	r.b.WriteString(strings.TrimRight(s, " "))
	r.b.WriteByte('\n')
}

// fold breaks printable ASCII into lines of at most width columns, at spaces
// where it can.
func fold(s string, width int) []string {
	var out []string
	for len(s) > width {
		at := strings.LastIndexByte(s[:width+1], ' ')
		if strings.TrimSpace(s[:max(at, 0)]) == "" {
			at = width
		}
		out = append(out, strings.TrimRight(s[:at], " "))
		s = strings.TrimLeft(s[at:], " ")
	}
	return append(out, s)
}
