package history_test

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/replay"
)

var errBroken = errors.New("broken")

func files(fail bool) iter.Seq2[replay.File, error] {
	return func(yield func(replay.File, error) bool) {
		if !yield(replay.File{Path: "a/b/c.json", Data: []byte("c")}, nil) || !yield(replay.File{Path: "d", Data: []byte("dd")}, nil) {
			return
		}
		if fail {
			yield(replay.File{}, errBroken)
		}
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestDir(t *testing.T) {
	dir := t.TempDir()
	evidence := filepath.Join(dir, "evidence")
	for _, d := range []string{evidence, evidence + "/journal", dir + "/empty", dir + "/full", dir + "/full/x"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(evidence, dir+"/link"), os.Symlink(dir+"/empty", dir+"/toempty"), os.WriteFile(dir+"/file", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path string
		fail bool
		want error
	}{
		{"new", false, nil},
		{"empty", false, nil},
		{"new", false, history.ErrTaken}, // now it exists
		{"full", false, history.ErrTaken},
		{"file", false, history.ErrTaken},
		{"toempty", false, history.ErrTaken},
		{"evidence", false, history.ErrTaken},
		{"evidence/journal", false, history.ErrInside},
		{"evidence/then", false, history.ErrInside},
		{"link/journal/then", false, history.ErrInside},
		{"absent/then", false, fs.ErrNotExist},
		{"broken", true, errBroken},
	} {
		before := len(names(t, dir))
		err := history.Extract(filepath.Join(dir, tt.path), evidence, files(tt.fail))
		if !errors.Is(err, tt.want) || tt.want != nil && err == nil {
			t.Errorf("%s: %v, want %v", tt.path, err, tt.want)
		}
		if tt.want != nil && len(names(t, dir)) != before {
			t.Errorf("%s: left behind: %v", tt.path, names(t, dir))
		}
	}
	for name, want := range map[string]fs.FileMode{"new": fs.ModeDir | 0o750, "new/a": fs.ModeDir | 0o750, "new/a/b": fs.ModeDir | 0o750,
		"new/a/b/c.json": 0o640, "new/d": 0o640, "empty/d": 0o640, "empty": fs.ModeDir | 0o750} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, info, err, want)
		}
	}
	if data, err := os.ReadFile(dir + "/new/a/b/c.json"); string(data) != "c" || err != nil {
		t.Errorf("%q, %v", data, err)
	}
	if n := names(t, evidence); len(n) != 1 {
		t.Errorf("the evidence holds %v", n)
	}
}

func TestDirRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := history.Extract("then", "", files(false)); err != nil {
		t.Fatal(err)
	}
	if n := names(t, "."); len(n) != 1 || n[0] != "then" {
		t.Error(n)
	}
}

// No file of a history can leave the directory, or be written twice.
func TestDirNames(t *testing.T) {
	for _, name := range []string{"../x", "/x", "a/../../x", ""} {
		err := history.Extract(filepath.Join(t.TempDir(), "then"), "", func(yield func(replay.File, error) bool) {
			yield(replay.File{Path: name, Data: []byte("x")}, nil)
		})
		if !errors.Is(err, history.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	err := history.Extract(filepath.Join(t.TempDir(), "then"), "", func(yield func(replay.File, error) bool) {
		for range 2 {
			if !yield(replay.File{Path: "a"}, nil) {
				return
			}
		}
	})
	if !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
}
