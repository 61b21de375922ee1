package replay

import "strings"

// Line is a line of a text that changed: Op is "-" for a removed line, "+" for an
// added line, " " for an unchanged one.
type Line struct {
	Op   string `json:"op"`
	Text string `json:"text"`
}

// maxCells is the largest size of the table of a comparison. An os-release has some
// twenty lines; for two very long texts all lines are reported.
const maxCells = 1 << 20

// CompareLines returns the lines in which two texts differ, in order, the removed
// before the added ones. Unchanged lines are omitted.
func CompareLines(from, to string) []Line {
	a, b := lines(from), lines(to)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var out []Line
	if len(a)*len(b) > maxCells {
		for _, l := range a {
			out = append(out, Line{"-", l})
		}
		for _, l := range b {
			out = append(out, Line{"+", l})
		}
		return out
	}
	return compare(a, b)
}

// compare omits a longest common subsequence.
func compare(a, b []string) []Line {
	// length[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	length := make([][]int, len(a)+1)
	for i := range length {
		length[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				length[i][j] = length[i+1][j+1] + 1
			} else {
				length[i][j] = max(length[i+1][j], length[i][j+1])
			}
		}
	}
	var gone, came []Line
	var out []Line
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(append(out, gone...), came...)
			gone, came = nil, nil
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && length[i+1][j] >= length[i][j+1]:
			gone = append(gone, Line{"-", a[i]})
			i++
		default:
			came = append(came, Line{"+", b[j]})
			j++
		}
	}
	return append(append(out, gone...), came...)
}

// lines splits a text; the last newline may be missing.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}
