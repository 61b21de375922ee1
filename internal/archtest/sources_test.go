package archtest

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxLines: a file longer than this has more than one reason to change.
const maxLines = 500

// emptyNames say nothing about what a package is for.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "base", "lib"}

// seamed packages reach the disk through internal/durable and nothing else.
var seamed = []string{"journal", "machine", "projections", "replay", "internal/gate", "internal/operation"}

// unseamed are the files of seamed packages that may call the operating
// system themselves, each with its reason.
var unseamed = map[string]string{
	"internal/gate/ready.go": "the ready file lies in /run, outside the state root and gone at the next boot: " +
		"its absence is always safe, so removing it needs no crash rehearsal",
}

type source struct {
	path string // relative to the module's root, slash-separated
	data []byte
	pkg  string // name in the package clause
}

func TestSources(t *testing.T) {
	for _, s := range loadSources(t) {
		if n := bytes.Count(s.data, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, the limit is %d: split it by its reasons to change", s.path, n, maxLines)
		}
		if slices.Contains(emptyNames, strings.TrimSuffix(s.pkg, "_test")) || slices.Contains(emptyNames, path.Base(path.Dir(s.path))) {
			t.Errorf("%s: package %s is named after nothing: name it after what it provides", s.path, s.pkg)
		}
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		report(t, s, "leave no package initialisation to pay at each boot; build it where it is used", func() ([]string, error) {
			return startup(s.path, s.data)
		})
		if within(s.path, seamed) && unseamed[s.path] == "" {
			report(t, s, "whatever touches the disk goes through internal/durable, where a crash can be rehearsed", func() ([]string, error) {
				return uses(s.path, s.data, mutators)
			})
		}
		if within(s.path, []string{"machine"}) {
			report(t, s, "the machine reads no clock: time comes with the observations and the events", func() ([]string, error) {
				return uses(s.path, s.data, clocks)
			})
		}
	}
}

func report(t *testing.T, s source, reason string, scan func() ([]string, error)) {
	t.Helper()
	found, err := scan()
	if err != nil {
		return // not Go: the compiler says so better
	}
	for _, f := range found {
		t.Errorf("%s: %s\n\treason: %s", s.path, f, reason)
	}
}

func TestUnseamedFilesExist(t *testing.T) {
	for name, reason := range unseamed {
		if _, err := os.Stat(filepath.Join(moduleRoot(t), filepath.FromSlash(name))); err != nil || reason == "" {
			t.Errorf("exception for %s (%q) excepts nothing: remove it", name, reason)
		}
	}
}

// within says whether the file lies in one of the folders or below.
func within(file string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(file, f+"/") })
}

// loadSources reads every Go file of the repository, of nested modules too.
func loadSources(t *testing.T) []source {
	t.Helper()
	root := moduleRoot(t)
	var all []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != root && (strings.HasPrefix(d.Name(), ".") || slices.Contains([]string{"testdata", "bin", "dist", "demo-node"}, d.Name())) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(rel), data: data}
		if f, err := parser.ParseFile(token.NewFileSet(), p, data, parser.PackageClauseOnly); err == nil {
			s.pkg = f.Name.Name
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found: the rules would judge nothing")
	}
	return all
}
