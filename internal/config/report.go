package config

import (
	"cmp"
	"slices"
)

// report collects the problems of one file.
type report struct{ problems []Problem }

func (r *report) add(line, col int, key, msg string) {
	r.problems = append(r.problems, Problem{Line: line, Col: col, Key: key, Msg: msg})
}

// sorted returns the problems in order of place, at most maxProblems of them,
// and the number of the omitted ones.
func (r *report) sorted() ([]Problem, int) {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	if n := len(r.problems) - maxProblems; n > 0 {
		return r.problems[:maxProblems], n
	}
	return r.problems, 0
}
