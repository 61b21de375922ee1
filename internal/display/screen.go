package display

import "fmt"

// Screen builds a screen of named values, one a row, folded at [Width].
type Screen struct{ rows rows }

// NewScreen begins a screen whose names take so many columns.
func NewScreen(names int) *Screen { return &Screen{rows{names: names}} }

// Row adds a value; "" as its name continues the one above.
func (s *Screen) Row(name, format string, args ...any) { s.rows.row(name, format, args...) }

// Whole adds a value that is not folded, so that it can be copied: a command. A
// character that a terminal might act on becomes a question mark.
func (s *Screen) Whole(name, text string) {
	s.rows.line(fmt.Sprintf("%-*s %s", s.rows.names, Clean(name), Clean(text)))
}

// String is the screen, each line with its end.
func (s *Screen) String() string { return s.rows.b.String() }

// Count is a number of things: "1 record", "2 records".
func Count(n int, what string) string { return plural(n, what) }

// Bytes writes a number of bytes in the unit that fits.
func Bytes(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
