package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestClaims: each row of the tutorial's table names a file that exists and a
// symbol that is declared in it.
func TestClaims(t *testing.T) {
	link := regexp.MustCompile(`^\[([^\]]+)\]\(\.\./([^)]+)\)$`)
	claims := 0
	for _, r := range rows(section(t, tutorial, "What was claimed, and where it is")) {
		if len(r) != 3 || r[0] == "claim" {
			continue
		}
		claims++
		m := link.FindStringSubmatch(r[1])
		if m == nil || m[1] != m[2] {
			t.Errorf("%q: %s is not a link to the file that it names", r[0], r[1])
			continue
		}
		symbol := strings.Trim(r[2], "`")
		declared, err := declarations(m[1])
		if err != nil {
			t.Errorf("%q: %v", r[0], err)
		} else if !declared[symbol] {
			t.Errorf("%q: %s does not declare %s", r[0], m[1], symbol)
		}
	}
	if claims < 10 {
		t.Errorf("only %d claims found", claims)
	}
}

// declarations are the top-level names of a file, methods as Type.Method.
func declarations(name string) (map[string]bool, error) {
	data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			all[receiver(d)+d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					all[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						all[n.Name] = true
					}
				}
			}
		}
	}
	return all, nil
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}

func TestDeclarations(t *testing.T) {
	got, err := declarations("internal/gate/gate.go")
	if err != nil || !got["Run"] || !got["run.precheck"] || !got["Options"] || got["precheck"] || got["nothing"] {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := declarations("internal/gate/nothing.go"); err == nil {
		t.Error("a file that is not there declares something")
	}
}
