package archtest

import (
	"slices"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	own := func(p string) string { return module + "/" + p }
	std := node{standard: true}
	base := graph{
		"fmt":                       std,
		"os":                        std,
		"os/exec":                   std,
		"example.org/db":            {imports: []string{"example.org/db/disk"}},
		"example.org/db/disk":       {imports: []string{"os"}},
		"example.org/dbx":           {},
		own("a"):                    {imports: []string{"fmt", own("b")}, tests: []string{own("d"), own("a")}},
		own("b"):                    {imports: []string{"example.org/db"}},
		own("b/inner"):              {imports: []string{"os/exec"}},
		own("c"):                    {imports: []string{own("a"), "example.org/dbx"}},
		own("d"):                    {imports: []string{own("d/e"), own("a")}},
		own("d/e"):                  {imports: []string{own("d")}}, // a cycle must not loop
		"github.com/other/edged":    {},
		module + "x":                {imports: []string{"fmt"}},
		"example.org/unused/module": {},
	}
	tests := []struct {
		name string
		rule rule
		want []string // chains, joined by ">"
	}{
		{"direct import found", rule{from: []string{"b"}, mustNot: []string{"example.org/db"}}, []string{"b>example.org/db"}},
		{"direct only, unless reach", rule{from: []string{"a"}, mustNot: []string{"example.org/db"}}, nil},
		{"reach gives the chain", rule{from: []string{"a"}, mustNot: []string{"example.org/db"}, reach: true}, []string{"a>b>example.org/db"}},
		{"reach goes through other modules", rule{from: []string{"a"}, mustNot: []string{"os"}, reach: true}, []string{"a>b>example.org/db>example.org/db/disk>os"}},
		{"reach ends in a cycle", rule{from: []string{"d"}, mustNot: []string{"os/exec"}, reach: true}, nil},
		{"a prefix is not a path", rule{from: []string{"c"}, mustNot: []string{"example.org/db/..."}}, nil},
		{"a tree holds its root and below", rule{from: []string{"b/..."}, mustNot: []string{"os/...", "example.org/db/..."}}, []string{"b>example.org/db", "b/inner>os/exec"}},
		{"a pattern without tree spares below", rule{from: []string{"b"}, mustNot: []string{"os/..."}}, nil},
		{"tests are spared", rule{from: []string{"a"}, mustNot: []string{"d"}}, nil},
		{"tests are judged on demand", rule{from: []string{"a"}, mustNot: []string{"d"}, tests: true}, []string{"a>d"}},
		{"a package may use itself", rule{from: []string{"a"}, mustNot: []string{"a"}, tests: true}, nil},
		{"mayOnly", rule{from: []string{"a"}, mayOnly: []string{"std"}}, []string{"a>b"}},
		{"mayOnly holds", rule{from: []string{"a"}, mayOnly: []string{"std", "b"}}, nil},
		{"among narrows", rule{from: []string{"c"}, among: []string{"ours"}, mayOnly: []string{"b"}}, []string{"c>a"}},
		{"among spares the rest", rule{from: []string{"c"}, among: []string{"ours"}, mayOnly: []string{"a"}}, nil},
		{"except", rule{from: []string{"ours"}, except: []string{"b/..."}, mustNot: []string{"example.org/db", "example.org/dbx"}}, []string{"c>example.org/dbx"}},
		{"another module of a longer name is not ours", rule{from: []string{"ours"}, mustNot: []string{"fmt"}}, []string{"a>fmt"}},
		{"a package that does not exist", rule{from: []string{"nowhere/..."}, mayOnly: []string{"std"}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, v := range judge(base, tt.rule) {
				got = append(got, strings.Join(v.chain, ">"))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestViolationTellsTheReason(t *testing.T) {
	g := graph{module + "/journal": {imports: []string{module + "/machine"}}}
	v := judge(g, rule{from: []string{"journal"}, mustNot: []string{"machine"}, reason: "because"})
	if len(v) != 1 || !strings.Contains(v[0].String(), "because") || !strings.Contains(v[0].String(), "→ machine") {
		t.Errorf("got %v", v)
	}
}

// sample makes a concrete import path out of a pattern.
func sample(pattern string) string {
	switch base := strings.TrimSuffix(pattern, "/..."); {
	case pattern == "ours":
		return module + "/internal/sample"
	case pattern == "std":
		return "fmt"
	case ownPattern(base):
		return module + "/" + base
	default:
		return base
	}
}

// ownPattern: our packages begin with one of these folders.
func ownPattern(base string) bool {
	first, _, _ := strings.Cut(base, "/")
	return slices.Contains([]string{"journal", "machine", "projections", "replay", "internal", "cmd"}, first)
}

// forbiddenSample lists paths that r must refuse.
func forbiddenSample(r rule) []string {
	var out []string
	for _, p := range r.mustNot {
		out = append(out, sample(p))
	}
	if len(r.mayOnly) > 0 {
		out = append(out, module+"/internal/forbidden")
	}
	return out
}
