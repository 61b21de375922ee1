package gate

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// tree describes everything below dir: type, mode, size, modification time
// and bytes, except of large files that were planted.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%v %d", info.Mode(), info.ModTime().UnixNano())
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			text += " -> " + target
		case info.Mode().IsRegular() && info.Size() <= 8<<20:
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %d %x", len(data), sha256.Sum256(data))
		case info.Mode().IsRegular():
			text += fmt.Sprintf(" %d sparse", info.Size())
		}
		rel, err := filepath.Rel(dir, path)
		out[rel] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// differing names what is not the same in both trees.
func differing(before, after map[string]string) []string {
	var names []string
	for name := range before {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func sameTree(t *testing.T, who string, before, after map[string]string) {
	t.Helper()
	for _, name := range differing(before, after) {
		t.Errorf("%s changed %s:\n  before %s\n  after  %s", who, name, before[name], after[name])
	}
}

// gateOwns lists the files that a failed run may change in the node's folder.
func gateOwns(name, before, after string) bool {
	name, inside := strings.CutPrefix(name, "state")
	switch name = strings.TrimPrefix(name, "/"); {
	case !inside:
		return false
	case name == "", name == "bootstrap": // names come and go in them: only the time may change
		was, is := strings.Fields(before), strings.Fields(after)
		return before == "" && name != "" || len(was) > 0 && len(is) > 0 && was[0] == is[0]
	case name == "journal", strings.HasPrefix(name, "journal/"):
		return true
	}
	return slices.Contains([]string{"bootstrap/journal_head", "bootstrap/last_failure.json"}, name)
}

// untouched requires that a failed run changed nothing but what is the gate's
// own, and the destinations named.
func untouched(t *testing.T, before, after map[string]string, applied ...string) {
	t.Helper()
	for _, name := range differing(before, after) {
		if !gateOwns(name, before[name], after[name]) && !slices.Contains(applied, name) {
			t.Errorf("a failed run changed %s:\n  before %s\n  after  %s", name, before[name], after[name])
		}
	}
}

// plants are the wrong objects in place of a file that the gate reads.
var plants = map[string]func(n *node, path string){
	"fifo":   func(n *node, path string) { n.check(syscall.Mkfifo(path, 0o600)) },
	"folder": func(n *node, path string) { n.check(os.Mkdir(path, 0o750)) },
	"symlink": func(n *node, path string) {
		n.writeFile(n.outside(), []byte("outside"))
		n.check(os.Symlink(n.outside(), path))
	},
	"10gb": func(n *node, path string) { n.sparse(path, 10<<30) },
}

func plantKinds() []string { return slices.Sorted(maps.Keys(plants)) }

// outside is a file that no gate has any business with.
func (n *node) outside() string { return filepath.Join(n.dir, "outside") }

// plant puts a thing of that kind at path, in place of what is there.
func (n *node) plant(kind, path string) {
	n.t.Helper()
	n.check(os.RemoveAll(path))
	n.mkdir(filepath.Dir(path))
	plants[kind](n, path)
}

func (n *node) sparse(path string, size int64) {
	n.t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o640)
	n.check(err)
	n.check(f.Truncate(size))
	n.check(f.Close())
}

// endless makes the longest file that the filesystem allows, all of it a hole.
// To hash it would take days.
func (n *node) endless(path string) {
	n.t.Helper()
	n.check(os.RemoveAll(path))
	n.writeFile(path, nil)
	for _, size := range []int64{1<<63 - 1, 1 << 60, 15 << 40} {
		if os.Truncate(path, size) == nil {
			return
		}
	}
	n.t.Skip("no file is long enough here")
}

// mission puts down what belongs to others and must survive every boot.
func (n *node) mission() {
	n.t.Helper()
	n.write("edge/segments/0001.seg", []byte("mission data"))
	n.write("edge/relay/relay.db", []byte("queue"))
	n.write("lost+found/x", []byte("of the filesystem"))
	n.check(os.Symlink("/etc/passwd", n.path("edge/segments/link")))
}
