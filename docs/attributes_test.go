package docs_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestAttributes: the table of log events has each event's level and exactly
// the attributes that the gate gives it.
func TestAttributes(t *testing.T) {
	written := map[string]map[string]bool{} // "LEVEL message" to attributes
	for _, file := range sources(t, "internal/gate") {
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if event, keys := logged(call); event != "" {
					if written[event] == nil {
						written[event] = map[string]bool{}
					}
					maps.Copy(written[event], keys)
				}
			}
			return true
		})
	}
	if len(written) < 10 {
		t.Fatalf("only %d log events found: the search is broken", len(written))
	}
	documented := map[string]map[string]bool{}
	for _, r := range rows(section(t, operations, "Log events")) {
		if len(r) == 4 && r[0] != "level" {
			keys := map[string]bool{}
			for _, k := range codeSpans(r[2]) {
				keys[k] = true
			}
			documented[r[0]+" "+strings.Trim(r[1], "`")] = keys
		}
	}
	for _, event := range slices.Sorted(maps.Keys(written)) {
		if !maps.Equal(written[event], documented[event]) {
			t.Errorf("%s: the gate gives it %v, %s has %v", event, text(written[event]), operations, text(documented[event]))
		}
	}
	for event := range documented {
		if written[event] == nil {
			t.Errorf("%s: %s has it, the gate does not write it", event, operations)
		}
	}
}

func text(keys map[string]bool) string {
	return fmt.Sprintf("%q", slices.Sorted(maps.Keys(keys)))
}

// logged reads a call of a logger whose message is a literal: its level and
// message, and the names of its attributes.
func logged(call *ast.CallExpr) (event string, keys map[string]bool) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Info", "Warn", "Error"}, method.Sel.Name) || len(call.Args) == 0 {
		return "", nil
	}
	message, ok := literal(call.Args[0])
	if !ok || !regexp.MustCompile(`^(edge\.|precheck: )`).MatchString(message) {
		return "", nil
	}
	keys = map[string]bool{}
	plain := true // a name is next, and then its value
	for _, arg := range call.Args[1:] {
		if attr, ok := arg.(*ast.CallExpr); ok && plain && len(attr.Args) == 2 {
			if key, ok := literal(attr.Args[0]); ok {
				keys[key] = true
			}
			continue
		}
		if key, ok := literal(arg); ok && plain {
			keys[key] = true
		}
		plain = !plain
	}
	return strings.ToUpper(method.Sel.Name) + " " + message, keys
}

func literal(e ast.Expr) (string, bool) {
	b, ok := e.(*ast.BasicLit)
	if !ok || b.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(b.Value)
	return s, err == nil
}
