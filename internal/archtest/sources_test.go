package archtest

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines: a longer file has more than one reason to change.
const maxLines = 500

// emptyNames are package names that do not say what the package is for.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "shared", "base", "lib"}

// forbidden are texts that no line of product code may contain.
var forbidden = []struct {
	in      string // folders, "" for all
	but     string // files
	text    string // regular expression
	example string // a line that is refused
	reason  string
}{
	{
		in:   "cmd/ internal/ journal/ machine/ projections/ replay/",
		but:  "internal/export/csv.go", // it looks for such signs in what it exports
		text: `^[^/]*"[^"]*[^\x00-\x7f]`, example: "\treturn s + \"\u2026\"",
		reason: "what is printed is ASCII: not every terminal shows more",
	},
	{
		text: `^func init\(\)|^(var |\t)\w+ += regexp\.`, example: "\tname = regexp.MustCompile(`x`)",
		reason: "every boot pays for package initialisation: build the value where it is used",
	},
	{
		in: "machine/", text: `\btime\.(After|AfterFunc|NewTicker|NewTimer|Now|Since|Sleep|Tick|Until)\b`, example: "\tat := time.Now()",
		reason: "the machine reads no clock: times are in the observations and the events",
	},
	{
		in: "journal/ machine/ projections/ replay/ internal/gate/ internal/operation/ internal/tlscert/",
		// The host's names and the ready file are outside the state root. The ready file
		// is removed at the next boot, and its absence is always safe.
		but:  "internal/gate/host.go internal/gate/hostfile.go",
		text: `^(import |\t)\S* ?"(os|os/.*|golang\.org/x/sys/.*)"$|\bsyscall\.[A-Z][a-z]+\w*\(`, example: "\thost \"os\"",
		reason: "all disk access goes through internal/durable, so that tests can crash it",
	},
}

func TestSources(t *testing.T) {
	for _, s := range sources(t) {
		if n := bytes.Count(s.data, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, the limit is %d: split it by its reasons to change", s.path, n, maxLines)
		}
		if name := path.Base(path.Dir(s.path)); slices.Contains(emptyNames, name) {
			t.Errorf("%s: the package name %s says nothing: name it after what it provides", s.path, name)
		}
	}
}

func TestForbiddenTexts(t *testing.T) {
	all := sources(t)
	for _, f := range forbidden {
		text := regexp.MustCompile(f.text)
		if !text.MatchString(f.example) {
			t.Errorf("%q is not refused: %s", f.example, f.reason)
		}
		judged, excepted := 0, map[string]bool{}
		for _, s := range all {
			folder := f.in == "" || slices.ContainsFunc(strings.Fields(f.in), func(in string) bool { return strings.HasPrefix(s.path, in) })
			if !folder || strings.HasSuffix(s.path, "_test.go") {
				continue
			}
			judged++
			for i, line := range strings.Split(string(s.data), "\n") {
				switch {
				case !text.MatchString(line):
				case slices.Contains(strings.Fields(f.but), s.path):
					excepted[s.path] = true
				default:
					t.Errorf("%s:%d: %s\n\treason: %s", s.path, i+1, strings.TrimSpace(line), f.reason)
				}
			}
		}
		if judged == 0 || len(excepted) != len(strings.Fields(f.but)) {
			t.Errorf("%d files checked in %q, %d excepted of %q: correct the rule (%s)", judged, f.in, len(excepted), f.but, f.reason)
		}
	}
}

type source struct {
	path string // from the module's root
	data []byte
}

// sources returns every Go file, including those of the nested modules.
func sources(t *testing.T) (all []source) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != root && (d.Name()[0] == '.' || slices.Contains([]string{"testdata", "bin", "dist", "demo-node", "node_modules"}, d.Name())) {
			return filepath.SkipDir
		}
		if filepath.Ext(p) != ".go" {
			return nil
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(root, p) // both are relative to this folder
		all = append(all, source{filepath.ToSlash(rel), data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
