package historytest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Tree describes dir and every file and directory beneath it, by path: mode,
// size, modification time and content.
func Tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	Check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%s %d %d", info.Mode(), info.Size(), info.ModTime().UnixNano())
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + Hash(data)
		}
		tree[path] = line
		return nil
	}))
	return tree
}

// SameTree fails the test if dir differs from before, which Tree returned.
func SameTree(t testing.TB, dir string, before map[string]string) {
	t.Helper()
	now := Tree(t, dir)
	for path, line := range before {
		if now[path] != line {
			t.Errorf("%s changed:\n  was %s\n  is  %s", path, line, now[path])
		}
	}
	for path := range now {
		if _, ok := before[path]; !ok {
			t.Errorf("%s appeared", path)
		}
	}
}

// Export writes the bytes of records to a file, one a line.
func Export(t testing.TB, path string, lines ...[]byte) {
	t.Helper()
	var data []byte
	for _, line := range lines {
		data = append(append(data, line...), '\n')
	}
	Check(t, os.WriteFile(path, data, 0o600))
}
