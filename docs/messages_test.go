package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const operations = "docs/operations.md"

// speaking are the packages whose messages an operator sees in the gate's log.
var speaking = []string{"internal/gate", "internal/manifest", "internal/operation"}

// message is the form of a log message; a prefix alone is none.
const message = `^(?:edge(?:\.[a-z_]+)+|precheck: [a-z][^…]*)$`

// messagesOf finds the log messages in a package's source, and where each is.
// A constant of type Code is the end of one.
func messagesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	form := regexp.MustCompile(message)
	found := map[string]string{}
	for name, file := range sources(t, dir) {
		add := func(lit ast.Expr, prefix string) {
			b, ok := lit.(*ast.BasicLit)
			if !ok || b.Kind != token.STRING {
				return
			}
			if s, err := strconv.Unquote(b.Value); err == nil && form.MatchString(prefix+s) {
				found[prefix+s] = name
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok {
				if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Code" {
					for _, value := range v.Values {
						add(value, "precheck: ")
					}
				}
			}
			if e, ok := n.(ast.Expr); ok {
				add(e, "")
			}
			return true
		})
	}
	return found
}

// sources are a package's parsed files without its tests, by name relative to
// the module's root.
func sources(t *testing.T, dir string) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("..", dir))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files[dir+"/"+name] = file
		}
	}
	return files
}

// TestMessages: every log message is in the operator's guide, and the guide
// has none that no code writes.
func TestMessages(t *testing.T) {
	written := map[string]string{}
	for _, dir := range speaking {
		maps.Copy(written, messagesOf(t, dir))
	}
	if len(written) < 30 {
		t.Fatalf("only %d messages found in %v: the search is broken", len(written), speaking)
	}
	form := regexp.MustCompile(message)
	documented := map[string]bool{}
	for _, span := range codeSpans(prose(read(t, operations))) {
		if form.MatchString(span) {
			documented[span] = true
		}
	}
	for _, m := range slices.Sorted(maps.Keys(written)) {
		if !documented[m] {
			t.Errorf("%s writes %q, %s does not tell of it: say its cause and the way out there", written[m], m, operations)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(documented)) {
		if written[m] == "" {
			t.Errorf("%s has %q, which nothing in %v writes: remove it there", operations, m, speaking)
		}
	}
}

// TestStages: the guide lists every stage that a failure can name.
func TestStages(t *testing.T) {
	_, section, _ := strings.Cut(read(t, operations), "\n## Stages\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := codeSpans(section)
	written := map[string]bool{}
	for _, file := range sources(t, "internal/gate") {
		ast.Inspect(file, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Stage" {
					if b, ok := kv.Value.(*ast.BasicLit); ok {
						s, _ := strconv.Unquote(b.Value)
						written[s] = true
					}
				}
			}
			return true
		})
	}
	for stage := range written {
		if !slices.Contains(documented, stage) {
			t.Errorf("stage %q is not in %s", stage, operations)
		}
	}
	if len(written) < 8 {
		t.Errorf("only %d stages found: the search is broken", len(written))
	}
}
