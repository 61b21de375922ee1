package docs_test

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestFindingCodes: the formats page has every code that a verification finds,
// and no other.
func TestFindingCodes(t *testing.T) {
	written := map[string]bool{}
	for _, dir := range []string{"journal", "internal/verify", "internal/audit", "internal/doctor", "internal/hub"} {
		for _, file := range sources(t, dir) {
			for _, d := range file.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
					for _, s := range g.Specs {
						collectCode(s.(*ast.ValueSpec), written)
					}
				}
			}
		}
	}
	documented := map[string]bool{}
	table := false // the one whose first column is headed "code"
	for _, r := range rows(read(t, formats)) {
		switch {
		case !strings.HasPrefix(r[0], "`"):
			table = r[0] == "code"
		case table:
			documented[strings.Trim(r[0], "`")] = true
		}
	}
	if len(written) < 20 || !maps.Equal(written, documented) {
		t.Errorf("%s has the codes %q, the code %q", formats, slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(written)))
	}
}

// collectCode takes the text of constants named Code….
func collectCode(s *ast.ValueSpec, into map[string]bool) {
	for i, n := range s.Names {
		if strings.HasPrefix(n.Name, "Code") && i < len(s.Values) {
			if text, ok := literal(s.Values[i]); ok {
				into[text] = true
			}
		}
	}
}
