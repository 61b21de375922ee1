package historytest

import (
	"os"
	"path/filepath"
	"testing"
)

// Largest returns the name of the largest file that pattern matches.
func Largest(t *testing.T, pattern string) (name string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	Check(t, err)
	size := int64(0)
	for _, n := range names {
		info, err := os.Stat(n)
		Check(t, err)
		if info.Size() > size {
			name, size = n, info.Size()
		}
	}
	return name
}
