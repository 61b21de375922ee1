package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the import path that "." stands for in a pattern.
const module = "github.com/autonomyops/edged"

// An arrow is the rule that no package of from, apart from those of but, imports a package of
// not, apart from those of unless. Each is a list of patterns as the go command has them:
// "./journal" is a package of this module, "./journal/..." also those below it, "..." every
// package; "std" is the standard library.
type arrow struct {
	from, but   string
	not, unless string
	deep        bool // also through other packages
	tests       bool // also in the tests of from
	reason      string
}

var arrows = []arrow{
	{
		from: "./journal/...", not: "./machine/...", tests: true,
		reason: "the journal keeps opaque records: one that knows its events would have to change with them",
	},
	{
		from: "./machine/...", not: "./journal/...", tests: true,
		reason: "the machine is a pure fold over values: it decides the same, whatever the events were read from",
	},
	{
		from: "./machine/...", not: "...",
		unless: "std ./machine/... github.com/looplab/fsm github.com/go-json-experiment/json/...",
		reason: "what decides a boot must be readable in one sitting",
	},
	{
		from: "./machine/...", not: "os/... net/... syscall math/rand/... crypto/rand log/... embed unsafe",
		reason: "the machine has no I/O, no randomness and no logging: a replay years later must decide as the boot did",
	},
	{
		from: "./...", but: "./journal/...", not: "github.com/cockroachdb/pebble/v2/...", tests: true,
		reason: "only journal imports Pebble: its faults are contained in one place, and storage can be replaced there",
	},
	{
		from: "./journal/...", not: "./...", unless: "./journal/... ./internal/durable/... ./internal/errs",
		reason: "the journal depends on internal/durable (and the type of errors) alone, so that the crash tests see everything it does to the disk",
	},
	{
		from: "./projections/...", not: "./...", unless: "./projections/... ./machine ./internal/digest ./internal/durable/...",
		reason: "projections turn a State into bytes: one that reads the journal would decide for itself",
	},
	{
		from: "./replay/...", not: "./...", unless: "./replay/... ./journal/... ./machine ./projections/... ./internal/durable/...",
		reason: "replay folds a history and has no effects",
	},
	{
		from: "./internal/durable/...", not: "./...", unless: "./internal/durable/...",
		reason: "everything depends on internal/durable, which depends on nothing above it",
	},
	{
		from: "./...", but: "./internal/gate/... ./internal/doctor ./cmd/... ./fixtures/...", not: "./internal/gate/...",
		reason: "the gate is the top of the boot path: nothing is built on it but what calls its checks for people",
	},
	{
		from: "./...", but: "./fixtures/...", not: "./fixtures/...",
		reason: "fixtures are for tests and no part of the product",
	},
	{
		from: "./...", but: "./cmd/...", not: "./cmd/...",
		reason: "commands are thin: code that two of them need belongs in a package of its own",
	},
	{
		from: "./internal/display/...", not: "./internal/history/... ./internal/verify ./internal/audit",
		reason: "display formats values as text and opens no file",
	},
	{
		from: "./internal/hub/bucket", not: "./internal/hub ./internal/transparency ./journal/... ./machine ./replay/...",
		reason: "a store keeps bytes: one that knew what they mean could not be exchanged",
	},
	{
		from: "./cmd/edged", deep: true,
		not:    "./internal/export ./internal/transparency ./internal/history/... ./internal/verify ./internal/display ./internal/doctor ./internal/audit ./internal/report/... ./internal/ship ./internal/hub/... github.com/parquet-go/parquet-go/...",
		reason: "every boot pays for everything linked into edged: code that serves people belongs in edgectl",
	},
	{
		from: "./cmd/...", deep: true,
		not: "testing/... ./internal/hosttest ./internal/vm/... ./internal/testbin ./internal/durable/memfs ./internal/archtest ./fixtures/... pgregory.net/rapid github.com/gowebpki/jcs " +
			"github.com/rogpeppe/go-internal/testscript",
		reason: "tools of the tests are no part of the product",
	},
}

// TestArrows checks every arrow, and that every package that an arrow names exists: a rule about
// a package that was renamed could never be broken.
func TestArrows(t *testing.T) {
	g := load(t)
	for _, a := range arrows {
		for _, pattern := range strings.Fields(a.from + " " + a.but + " " + a.not + " " + a.unless) {
			if !g.has(pattern) {
				t.Errorf("a rule names %s, but there is no such package: correct the rule (%s)", pattern, a.reason)
			}
		}
		for _, chain := range g.broken(a) {
			t.Errorf("import rule broken: %s\n\treason: %s", strings.ReplaceAll(chain, module, "."), a.reason)
		}
	}
}

// listed holds the members of "go list -json" that are used.
type listed struct {
	ImportPath   string
	Standard     bool
	Imports      []string // of the product, for each architecture
	TestImports  []string
	XTestImports []string
	Module       *struct {
		Path string
		Main bool
	}
}

// graph maps an import path to its package.
type graph map[string]listed

// load returns the import graph of this module and of everything that it imports.
func load(t *testing.T) graph {
	t.Helper()
	g := graph{}
	for _, p := range goList(t, "./...", "std") {
		p.Imports = append(p.Imports, g[p.ImportPath].Imports...)
		g[p.ImportPath] = p
		for _, test := range slices.Concat(p.TestImports, p.XTestImports) {
			if _, ok := g[test]; !ok {
				g[test] = listed{}
			}
		}
	}
	return g
}

// goList lists packages with everything that they import, for each architecture that the product
// is built for.
func goList(t *testing.T, patterns ...string) (all []listed) {
	t.Helper()
	for _, arch := range []string{"amd64", "arm64", "riscv64"} {
		// With -e, a package that does not compile is listed too: the compiler
		// reports it.
		cmd := exec.Command("go", append([]string{"list", "-e", "-deps", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,Module"}, patterns...)...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list %s: %v\n%s", patterns, err, stderr.Bytes())
		}
		for dec := json.NewDecoder(bytes.NewReader(out)); ; {
			var p listed
			err := dec.Decode(&p)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("go list %s: %v", patterns, err)
			}
			all = append(all, p)
		}
	}
	return all
}

// root is the folder of go.mod, from that of this package.
const root = "../.."

// broken returns the imports that a forbids, as chains from the package to the one that it must
// not import.
func (g graph) broken(a arrow) []string {
	var found []string
	for _, from := range slices.Sorted(maps.Keys(g)) {
		if !g.match(a.from, from) || g.match(a.but, from) {
			continue
		}
		first := slices.Clone(g[from].Imports)
		if a.tests {
			first = append(first, slices.Concat(g[from].TestImports, g[from].XTestImports)...)
		}
		via := map[string]string{from: ""} // how each package was reached
		queue := []string{}
		reach := func(by string, imports []string) {
			for _, p := range imports {
				if _, seen := via[p]; !seen {
					via[p] = by + " → " + p
					queue = append(queue, p)
				}
			}
		}
		reach(from, first)
		for i := 0; i < len(queue); i++ {
			p := queue[i]
			switch {
			case g.match(a.not, p) && !g.match(a.unless, p):
				found = append(found, via[p]) // its own imports are a consequence
			case a.deep:
				reach(via[p], g[p].Imports)
			}
		}
	}
	return found
}

// has reports whether some package matches the pattern.
func (g graph) has(pattern string) bool {
	for p := range g {
		if g.match(pattern, p) {
			return true
		}
	}
	return false
}

// match reports whether the package matches one of the patterns.
func (g graph) match(patterns, path string) bool {
	for pattern := range strings.FieldsSeq(patterns) {
		if own, ok := strings.CutPrefix(pattern, "."); ok && !strings.HasPrefix(own, ".") {
			pattern = module + own
		}
		tree, below := strings.CutSuffix(pattern, "/...")
		switch {
		case pattern == "...", pattern == "std" && g[path].Standard, path == tree, below && strings.HasPrefix(path, tree+"/"):
			return true
		}
	}
	return false
}

// TestBroken checks the rules' own code on a small graph.
func TestBroken(t *testing.T) {
	own := func(p string) string { return module + "/" + p }
	g := graph{
		"os":                  {Standard: true},
		"example.org/db":      {Imports: []string{"example.org/db/disk"}},
		"example.org/db/disk": {Imports: []string{"os"}},
		"example.org/dbx":     {},
		own("a"):              {Imports: []string{own("b")}, TestImports: []string{own("c"), own("a")}},
		own("b"):              {Imports: []string{"example.org/db"}},
		own("b/inner"):        {Imports: []string{"os", own("a")}},
		own("c"):              {Imports: []string{own("a"), "example.org/dbx", own("c/d")}},
		own("c/d"):            {Imports: []string{own("c")}}, // a cycle must end
		module + "x":          {Imports: []string{"os"}},     // another module
	}
	for _, tt := range []struct {
		name string
		a    arrow
		want string
	}{
		{"an import", arrow{from: "./b", not: "example.org/db"}, "./b → example.org/db"},
		{"not through others", arrow{from: "./a", not: "example.org/db"}, ""},
		{"deep", arrow{from: "./a", not: "os", deep: true}, "./a → ./b → example.org/db → example.org/db/disk → os"},
		{"deep, in a cycle", arrow{from: "./c/d", not: "os/exec", deep: true}, ""},
		{"a prefix is not a path", arrow{from: "./c", not: "example.org/db/..."}, ""},
		{"a tree", arrow{from: "./b/...", not: "os/... example.org/..."}, "./b → example.org/db, ./b/inner → os"},
		{"no tree", arrow{from: "./b", not: "os"}, ""},
		{"tests are spared", arrow{from: "./a", not: "./c"}, ""},
		{"tests", arrow{from: "./a", not: "./c ./a", tests: true}, "./a → ./c"},
		{"but", arrow{from: "./...", but: "./b/...", not: "os example.org/..."}, "./c → example.org/dbx"},
		{"unless", arrow{from: "./...", not: "...", unless: "std ./..."}, "./b → example.org/db, ./c → example.org/dbx"},
	} {
		if got := strings.ReplaceAll(strings.Join(g.broken(tt.a), ", "), module, "."); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if !g.has("./c/...") || !g.has("example.org/dbx") || g.has("./d") || g.has("./b/inn/...") || g.has("example.org") {
		t.Error("has reports the wrong packages")
	}
}
