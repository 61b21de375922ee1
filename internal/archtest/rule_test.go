package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// module is the path that our own packages begin with.
const module = "github.com/autonomyops/edged"

// A node is one package of an import graph. Only our own packages carry
// imports that are judged; the others are passed through on the way.
type node struct {
	standard bool     // of the standard library
	imports  []string // of the product code
	tests    []string // of _test.go files, internal and external
}

// graph is keyed by import path.
type graph map[string]node

// A rule is one arrow, or the absence of one.
//
// Patterns are relative to the module ("journal", "internal/durable") or
// absolute ("github.com/…", "os"). A trailing "/..." matches the package and
// everything below it. "std" is the whole standard library; "ours" is every
// package of this module; "any" is every package there is.
type rule struct {
	from   []string
	except []string // packages that from would match and that the rule spares
	// Exactly one of the two is set.
	mustNot []string
	mayOnly []string
	// among narrows mayOnly to imports that match it; empty means all.
	among []string
	// reach judges everything linked in, not only direct imports.
	reach bool
	// tests judges what _test.go files import as well.
	tests  bool
	reason string
}

// A violation is one import that a rule forbids.
type violation struct {
	chain  []string // from, …, the offending package
	reason string
}

func (v violation) String() string {
	return fmt.Sprintf("%s\n\treason: %s", strings.Join(v.chain, "\n\t→ "), v.reason)
}

// judge returns what breaks r in g, ordered by package.
func judge(g graph, r rule) []violation {
	var found []violation
	for _, from := range sortedKeys(g) {
		if !matchAny(g, r.from, from) || matchAny(g, r.except, from) {
			continue
		}
		for _, chain := range chains(g, r, from) {
			if r.forbids(g, from, chain[len(chain)-1]) {
				found = append(found, violation{chain: short(chain), reason: r.reason})
			}
		}
	}
	return found
}

// forbids says whether r forbids that from uses to. A package may always
// use itself: external tests do.
func (r rule) forbids(g graph, from, to string) bool {
	switch {
	case from == to:
		return false
	case len(r.mustNot) > 0:
		return matchAny(g, r.mustNot, to)
	case len(r.among) > 0 && !matchAny(g, r.among, to):
		return false
	default:
		return !matchAny(g, r.mayOnly, to)
	}
}

// chains lists the shortest import chain from one package to each package
// that r looks at: its direct imports, or all it reaches.
func chains(g graph, r rule, from string) [][]string {
	first := slices.Clone(g[from].imports)
	if r.tests {
		first = append(first, g[from].tests...)
	}
	slices.Sort(first)
	var all [][]string
	seen := map[string]bool{from: true}
	for _, to := range slices.Compact(first) {
		if !seen[to] {
			seen[to] = true
			all = append(all, []string{from, to})
		}
	}
	if !r.reach {
		return all
	}
	// Breadth first: all is its own queue.
	for i := 0; i < len(all); i++ {
		last := all[i][len(all[i])-1]
		for _, to := range g[last].imports {
			if !seen[to] {
				seen[to] = true
				all = append(all, append(slices.Clone(all[i]), to))
			}
		}
	}
	return all
}

func matchAny(g graph, patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(g, p, path) })
}

func match(g graph, pattern, path string) bool {
	ours := path == module || strings.HasPrefix(path, module+"/")
	switch pattern {
	case "any":
		return true
	case "ours":
		return ours
	case "std":
		return g[path].standard
	}
	base, tree := strings.CutSuffix(pattern, "/...")
	for _, full := range []string{base, module + "/" + base} {
		if path == full || tree && strings.HasPrefix(path, full+"/") {
			return true
		}
	}
	return false
}

// short drops the module's path from our own packages, as people name them.
func short(chain []string) []string {
	out := make([]string, len(chain))
	for i, p := range chain {
		out[i] = strings.TrimPrefix(p, module+"/")
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
