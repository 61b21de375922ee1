package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// mutators change the filesystem. os.OpenFile is among them, as it can.
var mutators = map[string][]string{
	"os": {"Chmod", "Chown", "Chtimes", "CopyFS", "Create", "CreateTemp", "Lchown", "Link", "Mkdir", "MkdirAll",
		"MkdirTemp", "OpenFile", "OpenRoot", "Remove", "RemoveAll", "Rename", "Symlink", "Truncate", "WriteFile"},
	"syscall": {"Creat", "Fallocate", "Ftruncate", "Link", "Mkdir", "Mkdirat", "Open", "Openat", "Pwrite", "Rename",
		"Renameat", "Rmdir", "Symlink", "Truncate", "Unlink", "Unlinkat", "Write"},
	"golang.org/x/sys/unix": {"Creat", "Fallocate", "Ftruncate", "Link", "Linkat", "Mkdir", "Mkdirat", "Open", "Openat",
		"Openat2", "Pwrite", "Rename", "Renameat", "Renameat2", "Rmdir", "Symlink", "Symlinkat", "Truncate", "Unlink",
		"Unlinkat", "Write"},
}

// clocks read the time or wait for it.
var clocks = map[string][]string{
	"time": {"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"},
}

// uses lists where src mentions a function of the table, under whatever name
// its package was imported, as "line N: os.Rename". It reads only the syntax:
// a dot import of a package of the table is itself reported.
func uses(name string, src []byte, table map[string][]string) ([]string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []string
	local := map[string]string{} // name in this file → import path
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil || table[p] == nil {
			continue
		}
		as := path.Base(p)
		if spec.Name != nil {
			as = spec.Name.Name
		}
		if as == "." {
			found = append(found, fmt.Sprintf("line %d: dot import of %s", fset.Position(spec.Pos()).Line, p))
		}
		local[as] = p
	}
	ast.Inspect(f, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		if ok && slices.Contains(table[local[pkg.Name]], sel.Sel.Name) {
			found = append(found, fmt.Sprintf("line %d: %s.%s", fset.Position(sel.Pos()).Line, path.Base(local[pkg.Name]), sel.Sel.Name))
		}
		return true
	})
	return found, nil
}

// startup lists what src does at package initialisation that a boot pays for:
// init functions, and regular expressions compiled into package variables.
func startup(name string, src []byte) ([]string, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, decl := range f.Decls {
		line := fset.Position(decl.Pos()).Line
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				found = append(found, fmt.Sprintf("line %d: func init", line))
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR && compilesRegexp(d) {
				found = append(found, fmt.Sprintf("line %d: regular expression compiled at start-up", line))
			}
		}
	}
	return found, nil
}

func compilesRegexp(d *ast.GenDecl) bool {
	compiles := false
	ast.Inspect(d, func(n ast.Node) bool {
		if _, deferred := n.(*ast.FuncLit); deferred {
			return false // sync.OnceValue and the like pay when called
		}
		if sel, ok := n.(*ast.SelectorExpr); ok {
			pkg, ok := sel.X.(*ast.Ident)
			compiles = compiles || ok && pkg.Name == "regexp" && strings.Contains(sel.Sel.Name, "Compile")
		}
		return true
	})
	return compiles
}
