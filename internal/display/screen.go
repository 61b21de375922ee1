package display

import "fmt"

// Screen builds a screen of named values, one a row, folded at [Width].
type Screen struct{ rows rows }

// NewScreen returns an empty screen with so many columns for names.
func NewScreen(names int) *Screen { return &Screen{rows{names: names}} }

// Row adds a value. The name "" continues the row above.
func (s *Screen) Row(name, format string, args ...any) { s.rows.row(name, format, args...) }

// Whole adds a value that is not folded, such as a command to be copied. Clean
// replaces its control characters.
func (s *Screen) Whole(name, text string) {
	s.rows.line(fmt.Sprintf("%-*s %s", s.rows.names, Clean(name), Clean(text)))
}

// String returns the lines of the screen, each with a line feed.
func (s *Screen) String() string { return s.rows.b.String() }

// Count returns a number of things: "1 record", "2 records".
func Count(n int, what string) string { return plural(n, what) }

// Bytes returns a number of bytes in a suitable unit.
func Bytes(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
