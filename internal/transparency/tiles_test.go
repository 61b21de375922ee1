package transparency_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/autonomyops/edged/internal/transparency"
)

// tiles writes the first n records of a log to a directory.
func (l *log) tiles(t testing.TB, dir string, n int, key transparency.Signer) (transparency.Written, error) {
	t.Helper()
	_, signed := l.checkpoint(t, n, key)
	return transparency.Tiles(t.Context(), l, dir, signed, nil)
}

// listed returns the paths of the files in a directory, sorted, with slashes.
func listed(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	check(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	slices.Sort(names)
	return names
}

func TestTilesGrow(t *testing.T) {
	l, key, dir := newLog(70000), signer(t, "n"), filepath.Join(t.TempDir(), "tiles")
	for _, tt := range []struct {
		n             int
		written, kept int
		want          []string
	}{
		{300, 6, 0, []string{"checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"}},
		{300, 1, 5, []string{"checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"}},
		{301, 3, 3, []string{"checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/0/001.p/45", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44", "tile/entries/001.p/45"}},
		{512, 4, 2, []string{"checkpoint", "tile/0/000", "tile/0/001", "tile/1/000.p/1", "tile/1/000.p/2", "tile/entries/000", "tile/entries/001"}},
	} {
		did, err := l.tiles(t, dir, tt.n, key)
		check(t, err)
		if got := listed(t, dir); !slices.Equal(got, tt.want) {
			t.Errorf("%d: %q, want %q", tt.n, got, tt.want)
		}
		if did != (transparency.Written{Written: tt.written, Kept: tt.kept}) {
			t.Errorf("%d: %+v, want %d written, %d kept", tt.n, did, tt.written, tt.kept)
		}
	}
	if _, err := l.tiles(t, dir, 70000, key); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tile/1/000.p")); err == nil {
		t.Error("tile/1/000 is full, and its parts are left")
	}
	// tlog reads the tree from the tiles alone.
	c, signed := l.checkpoint(t, 70000, key)
	reader := tlog.TileHashReader(tlog.Tree{N: 70000, Hash: c.Root}, tileDir(dir))
	for _, i := range []int64{0, 255, 256, 69999} {
		proof, err := tlog.ProveRecord(70000, i, reader)
		if err != nil || tlog.CheckRecord(proof, 70000, c.Root, i, tlog.RecordHash(l.records[i])) != nil {
			t.Errorf("leaf %d from the tiles: %v", i, err)
		}
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "checkpoint")); string(got) != string(signed) {
		t.Errorf("the checkpoint is %q", got)
	}
}

// tileDir is a tlog.TileReader of a directory.
type tileDir string

func (tileDir) Height() int                         { return 8 }
func (tileDir) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (d tileDir) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var err error
		if data[i], err = os.ReadFile(filepath.Join(string(d), transparency.TilePath(tile))); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// A directory of another history is refused, and stays as it is.
func TestTilesOfAnotherHistory(t *testing.T) {
	key := signer(t, "n")
	l, other := newLog(700), newLog(700)
	other.records[3] = []byte("{}")
	tail := newLog(700) // what was in a partial tile, which none of the newer tiles repeats
	tail.records[590] = []byte("{}")
	for name, try := range map[string]func(dir string) (transparency.Written, error){
		"rewritten":          func(dir string) (transparency.Written, error) { return other.tiles(t, dir, 700, key) },
		"its end rewritten":  func(dir string) (transparency.Written, error) { return tail.tiles(t, dir, 700, key) },
		"cut short":          func(dir string) (transparency.Written, error) { return l.tiles(t, dir, 599, key) },
		"rewritten, shorter": func(dir string) (transparency.Written, error) { return other.tiles(t, dir, 5, key) },
		"of another journal": func(dir string) (transparency.Written, error) {
			c, _ := l.checkpoint(t, 700, key)
			c.Journal = "another"
			signed, err := c.Sign(key)
			check(t, err)
			return transparency.Tiles(t.Context(), named{l, "another"}, dir, signed, nil)
		},
		"an altered tile": func(dir string) (transparency.Written, error) {
			check(t, os.WriteFile(filepath.Join(dir, "tile/0/001"), []byte("altered"), 0o600))
			return l.tiles(t, dir, 700, key)
		},
		"a longer tile": func(dir string) (transparency.Written, error) {
			data, err := os.ReadFile(filepath.Join(dir, "tile/0/001"))
			check(t, err)
			check(t, os.WriteFile(filepath.Join(dir, "tile/0/001"), append(data, 0), 0o600))
			return l.tiles(t, dir, 700, key)
		},
		"partial tiles alone": func(dir string) (transparency.Written, error) {
			check(t, os.Remove(filepath.Join(dir, "checkpoint")))
			check(t, os.RemoveAll(filepath.Join(dir, "tile/entries")))
			check(t, os.RemoveAll(filepath.Join(dir, "tile/0/000")))
			return other.tiles(t, dir, 600, key)
		},
	} {
		dir := t.TempDir()
		_, err := l.tiles(t, dir, 600, key)
		check(t, err)
		before, err := os.ReadFile(filepath.Join(dir, "tile/0/000"))
		check(t, err)
		if _, err := try(dir); !errors.Is(err, transparency.ErrTiles) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(filepath.Join(dir, "tile/0/000")); name != "partial tiles alone" && (err != nil || string(after) != string(before)) {
			t.Errorf("%s: a tile was replaced: %v", name, err)
		}
	}
}

// named is a log with another id.
type named struct {
	*log
	id string
}

func (n named) ID() string { return n.id }

// The next call completes an interrupted one, after any number of files, and after
// a power cut that damaged files which were not flushed.
func TestTilesResume(t *testing.T) {
	l, key := newLog(20000), signer(t, "n")
	_, signed := l.checkpoint(t, 20000, key)
	whole := t.TempDir()
	_, err := transparency.Tiles(t.Context(), l, whole, signed, nil)
	check(t, err)
	for name, leave := range map[string]func(dir string){
		"interrupted": func(dir string) {
			ctx, stop := context.WithCancel(t.Context())
			_, err := transparency.Tiles(ctx, l, dir, signed, func(done, _ uint64) {
				if done >= 8192 {
					stop()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("interrupted: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err == nil {
				t.Error("interrupted, and there is a checkpoint")
			}
		},
		"unreadable": func(dir string) {
			broken := *l
			broken.broken = 9000
			if _, err := transparency.Tiles(t.Context(), &broken, dir, signed, nil); !errors.Is(err, errBroken) {
				t.Errorf("a record that cannot be read: %v", err)
			}
		},
		"killed while writing": func(dir string) {
			check(t, os.WriteFile(filepath.Join(dir, ".partial"), []byte("x"), 0o600))
		},
		"power lost": func(dir string) {
			check(t, os.MkdirAll(filepath.Join(dir, "tile/0"), 0o700))
			check(t, os.MkdirAll(filepath.Join(dir, "tile/entries"), 0o700))
			check(t, os.WriteFile(filepath.Join(dir, "tile/0/000"), nil, 0o600))
			check(t, os.WriteFile(filepath.Join(dir, "tile/entries/000"), make([]byte, 100), 0o600))
			data, err := os.ReadFile(filepath.Join(whole, "tile/0/001"))
			check(t, err)
			clear(data[4096:])
			check(t, os.WriteFile(filepath.Join(dir, "tile/0/001"), data, 0o600))
		},
	} {
		dir := t.TempDir()
		leave(dir)
		if _, err := transparency.Tiles(t.Context(), l, dir, signed, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := listed(t, dir), listed(t, whole); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		for _, file := range listed(t, whole) {
			want, _ := os.ReadFile(filepath.Join(whole, file))
			if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != string(want) {
				t.Errorf("%s: %s differs (%v)", name, file, err)
			}
		}
	}
}

func TestTilesRefuse(t *testing.T) {
	l, key := newLog(30), signer(t, "n")
	_, signed := l.checkpoint(t, 30, key)
	inDir := func(name string, make func(path string) error) string {
		dir := t.TempDir()
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		check(t, make(filepath.Join(dir, name)))
		return dir
	}
	file := func(path string) error { return os.WriteFile(path, []byte("nothing"), 0o600) }
	mkdir := func(path string) error { return os.Mkdir(path, 0o700) }
	rewritten := newLog(30)
	rewritten.records[7] = nil
	big := newLog(30)
	big.records[7] = make([]byte, 1<<16)
	_, bigSigned := big.checkpoint(t, 30, key)
	locked := t.TempDir()
	for name, tt := range map[string]struct {
		src    transparency.Source
		dir    string
		signed []byte
		want   error
	}{
		"no checkpoint given":        {l, t.TempDir(), []byte("x"), transparency.ErrCheckpoint},
		"over what is no checkpoint": {l, inDir("checkpoint", file), signed, transparency.ErrCheckpoint},
		"a checkpoint of another":    {named{l, "x"}, t.TempDir(), signed, transparency.ErrOther},
		"over other records":         {rewritten, t.TempDir(), signed, transparency.ErrOther},
		"over more records":          {newLog(29), t.TempDir(), signed, transparency.ErrSize},
		"a record is not there":      {short{newLog(60)}, t.TempDir(), nil, transparency.ErrSize},
		"too big a record":           {big, t.TempDir(), bigSigned, nil},
		"a file in its place":        {l, filepath.Join(inDir("x", file), "x"), signed, nil},
		"a directory for a file":     {l, inDir("checkpoint", mkdir), signed, nil},
		"a file for a directory":     {l, inDir("tile", file), signed, nil},
		"a directory for a tile":     {l, inDir("tile/0/000.p/30", mkdir), signed, nil},
		"in use":                     {l, locked, signed, transparency.ErrBusy},
	} {
		if name == "a record is not there" {
			_, tt.signed = newLog(60).checkpoint(t, 60, key)
		}
		var err error
		if name == "in use" {
			_, _ = transparency.Tiles(t.Context(), l, locked, signed, func(uint64, uint64) {
				_, err = transparency.Tiles(t.Context(), l, locked, signed, nil)
			})
		} else {
			_, err = transparency.Tiles(t.Context(), tt.src, tt.dir, tt.signed, nil)
		}
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
