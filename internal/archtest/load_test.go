package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// architectures are those that the product is built for.
var architectures = []string{"amd64", "arm64", "riscv64"}

// listed is what is used of "go list -json".
type listed struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
	Module       *struct {
		Path string
		Main bool
	}
}

// loadModule gives the import graph of every package of this module and of
// all that they import, as linked into the product (Linux, no cgo).
func loadModule(t *testing.T) graph {
	t.Helper()
	g := graph{}
	for _, arch := range architectures {
		for _, p := range goList(t, arch, "./...") {
			n := g[p.ImportPath]
			n.standard = p.Standard
			n.imports = append(n.imports, p.Imports...)
			n.tests = append(n.tests, p.TestImports...)
			n.tests = append(n.tests, p.XTestImports...)
			g[p.ImportPath] = n
		}
	}
	if _, ok := g[module+"/internal/archtest"]; !ok {
		t.Fatalf("go list does not list this very package: the rules would judge nothing (%d packages)", len(g))
	}
	return g
}

// goList runs "go list -deps". With -e, a package that does not compile is
// still listed: saying so is the compiler's business, not this test's.
func goList(t *testing.T, arch, pattern string) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,Module", pattern)
	cmd.Dir = moduleRoot(t)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", pattern, err, stderr.Bytes())
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("go list %s: output is not JSON: %v", pattern, err)
		}
		all = append(all, p)
	}
}

// moduleRoot is the folder of go.mod: tests run in their package's folder.
func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(data), "module "+module+"\n") {
		t.Fatalf("%s is not the go.mod of %s", filepath.Join(root, "go.mod"), module)
	}
	return root
}
