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

// verbatim adds a line of a file. What does not fit goes on beneath it, two
// columns further in.
func (r *rows) verbatim(indent int, text string) {
	for i, part := range fold(Clean(text), Width-indent-2) {
		if i == 1 {
			indent += 2
		}
		r.line(strings.Repeat(" ", indent) + part)
	}
}

func (r *rows) line(s string) {
	r.b.WriteString(strings.TrimRight(s, " "))
	r.b.WriteByte('\n')
}

// fold breaks printable ASCII into lines of at most width columns, at spaces
// where it can.
func fold(s string, width int) []string {
	var out []string
	for {
		line, rest := split(s, width)
		out = append(out, line)
		if rest == "" {
			return out
		}
		s = rest
	}
}

// split takes the first line of at most width columns off s.
func split(s string, width int) (line, rest string) {
	if len(s) <= width {
		return s, ""
	}
	at := strings.LastIndexByte(s[:width+1], ' ')
	if strings.TrimSpace(s[:max(at, 0)]) == "" {
		at = width
	}
	return strings.TrimRight(s[:at], " "), strings.TrimLeft(s[at:], " ")
}
