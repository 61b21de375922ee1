package main

import (
	"fmt"
	"io"
	"strings"
)

// limit is the required figure of a measure. The zero limit requires nothing.
type limit struct {
	value float64
	least bool // the figure must be at least value; else at most
	none  bool // the figure must be 0
	unit  string
}

// none returns the limit 0.
func none() limit { return limit{none: true} }

func atMost(v float64, unit string) limit  { return limit{value: v, unit: unit} }
func atLeast(v float64, unit string) limit { return limit{value: v, least: true, unit: unit} }

func (l limit) String() string {
	switch {
	case l.none:
		return "0"
	case l.value == 0:
		return "–"
	case l.least:
		return "≥ " + figure(l.value, l.unit)
	}
	return "≤ " + figure(l.value, l.unit)
}

// verdict compares a figure with the limit.
func (l limit) verdict(seen float64) string {
	miss := seen/l.value - 1
	if l.least {
		miss = 1 - seen/l.value
	}
	switch {
	case l.none && seen != 0:
		return "missed"
	case l.none:
		return "met"
	case l.value == 0:
		return "–"
	case miss <= 0:
		return "met"
	}
	return fmt.Sprintf("missed by %.3g %%", miss*100)
}

// figure formats a number for people: thousands grouped, three or four significant digits.
func figure(v float64, unit string) string {
	var s string
	switch {
	case v >= 1000:
		s = fmt.Sprintf("%.0f", v)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
	case v == float64(int(v)):
		s = fmt.Sprintf("%.0f", v)
	case v >= 100:
		s = fmt.Sprintf("%.0f", v)
	case v >= 10:
		s = fmt.Sprintf("%.1f", v)
	default:
		s = fmt.Sprintf("%.2f", v)
	}
	return strings.TrimSpace(s + " " + unit)
}

// row is one line of the table.
type row struct {
	measure, required, seen, verdict, how string
}

// measured returns a row with a figure and its verdict.
func measured(measure string, l limit, seen float64, how string) row {
	return row{measure, l.String(), figure(seen, l.unit), l.verdict(seen), how}
}

// skipped returns a row without a figure, with the reason.
func skipped(measure string, l limit, why string) row {
	return row{measure, l.String(), "–", "skipped", why}
}

// broken returns the row of a measurement that failed.
func broken(measure string, err error) row {
	return row{measure, "", "–", "could not be measured", err.Error()}
}

// printTable writes the rows as one Markdown table.
func printTable(w io.Writer, rows []row) error {
	var b strings.Builder
	b.WriteString("| measure | required | seen | verdict | how |\n|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, r := range rows {
		for _, c := range []string{r.measure, r.required, r.seen, r.verdict, r.how} {
			b.WriteString("| " + cell.Replace(c) + " ")
		}
		b.WriteString("|\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
