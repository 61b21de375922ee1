package manifest

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed: the bytes are not a manifest of version 1.
var ErrMalformed = errors.New("not a manifest of version 1")

// Problem is one thing wrong with a manifest. Where names its place as a JSON
// pointer, "" for the whole.
type Problem struct {
	Where  string
	Reason string
}

func (p Problem) String() string {
	if p.Where == "" {
		return p.Reason
	}
	return p.Where + ": " + p.Reason
}

// maxListed is the largest number of problems in one error; Lint returns all.
const maxListed = 8

// Parse reads a manifest strictly: unknown or duplicate members, null, trailing
// data and wrong types are errors. The error is ErrMalformed with the
// first problems; [Lint] returns all.
func Parse(data []byte) (*Manifest, error) {
	m, problems := parse(data)
	if len(problems) == 0 {
		return m, nil
	}
	var texts []string
	for i, p := range problems {
		if i == maxListed {
			texts = append(texts, fmt.Sprintf("and %d more", len(problems)-i))
			break
		}
		texts = append(texts, p.String())
	}
	return nil, fmt.Errorf("%w: %s", ErrMalformed, strings.Join(texts, "; "))
}

// Lint returns every problem of a manifest that can be found without the
// disk. Only an error of JSON's syntax hides the problems after it.
func Lint(data []byte) []Problem {
	_, problems := parse(data)
	return problems
}

func parse(data []byte) (*Manifest, []Problem) {
	if len(data) > MaxBytes {
		return nil, []Problem{{"", fmt.Sprintf("%d bytes, the limit is %d", len(data), MaxBytes)}}
	}
	r := newReader(data)
	m := r.manifest()
	if len(r.problems) > 0 {
		return nil, r.problems
	}
	return m, nil
}
