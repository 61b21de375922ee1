package durable_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
)

// verbs are all the ways to reach a name.
func verbs(fsys durable.FS) map[string]func(name string) error {
	closing := func(f durable.File, err error) error {
		if err == nil {
			_ = f.Close()
		}
		return err
	}
	return map[string]func(string) error{
		"open":        func(n string) error { return closing(fsys.Open(n)) },
		"openwrite":   func(n string) error { return closing(fsys.OpenWrite(n)) },
		"create":      func(n string) error { return closing(fsys.Create(n, 0o600)) },
		"mkdir":       func(n string) error { return fsys.Mkdir(n, 0o700) },
		"rename from": func(n string) error { return fsys.Rename(n, "elsewhere") },
		"rename to":   func(n string) error { return fsys.Rename("file", n) },
		"remove":      fsys.Remove,
		"lstat":       func(n string) error { _, err := fsys.Lstat(n); return err },
		"readdir":     func(n string) error { _, err := fsys.ReadDir(n); return err },
		"syncdir":     fsys.SyncDir,
		"mkdirall":    func(n string) error { return durable.MkdirAll(fsys, n, 0o700) },
		"removeall":   func(n string) error { return durable.RemoveAll(fsys, n) },
		"readfile":    func(n string) error { _, _, err := durable.ReadFile(fsys, n, 100); return err },
		"writefile":   func(n string) error { return durable.WriteFile(fsys, n, []byte("x"), 0o600) },
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSymlinkInEveryComponent(t *testing.T) {
	bothWays(t, func(t *testing.T, walk bool) {
		for _, link := range []string{"one", "one/two", "one/two/three"} {
			dir, outside := t.TempDir(), t.TempDir()
			write(t, filepath.Join(outside, "two/three/victim"), "outside")
			write(t, filepath.Join(outside, "three/victim"), "outside")
			write(t, filepath.Join(outside, "victim"), "outside")
			write(t, filepath.Join(dir, "file"), "inside")
			if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(link)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(outside, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
			root := openRoot(t, dir, walk)
			for verb, try := range verbs(root) {
				for _, name := range []string{"one/two/three/victim", "one/two/three/new"} {
					if err := try(name); !errors.Is(err, durable.ErrSymlink) {
						t.Errorf("%s %s with a link at %s: %v, want ErrSymlink", verb, name, link, err)
					}
				}
			}
			for _, kept := range []string{"victim", "three/victim", "two/three/victim"} {
				if got, err := os.ReadFile(filepath.Join(outside, kept)); err != nil || string(got) != "outside" {
					t.Fatalf("outside was touched: %q, %v", got, err)
				}
			}
		}
	})
}

func TestSymlinkAsLastComponent(t *testing.T) {
	bothWays(t, func(t *testing.T, walk bool) {
		dir, outside := t.TempDir(), t.TempDir()
		write(t, filepath.Join(outside, "victim"), "outside")
		write(t, filepath.Join(dir, "file"), "inside")
		root := openRoot(t, dir, walk)
		want := map[string]error{ // nil: acts on the link itself
			"open": durable.ErrSymlink, "openwrite": durable.ErrSymlink, "readfile": durable.ErrSymlink,
			"readdir": durable.ErrSymlink, "syncdir": durable.ErrSymlink, "mkdirall": durable.ErrSymlink,
			"create": fs.ErrExist, "mkdir": fs.ErrExist,
			"rename from": nil, "rename to": nil, "remove": nil, "lstat": nil, "removeall": nil, "writefile": nil,
		}
		for _, target := range []string{filepath.Join(outside, "victim"), outside, "file", "nowhere"} {
			for verb, try := range verbs(root) {
				link := filepath.Join(dir, "link")
				_ = os.Remove(link)
				if err := os.Symlink(target, link); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(dir, "file"), "inside")
				if err := try("link"); !errors.Is(err, want[verb]) {
					t.Errorf("%s of a link to %s: %v, want %v", verb, target, err, want[verb])
				}
			}
		}
		if got, err := os.ReadFile(filepath.Join(outside, "victim")); err != nil || string(got) != "outside" {
			t.Fatalf("outside was touched: %q, %v", got, err)
		}
	})
}

// TestSwapRace replaces a directory by a link to a look-alike outside, again and again,
// while the names below it are used.
func TestSwapRace(t *testing.T) {
	const rounds = 3000
	bothWays(t, func(t *testing.T, walk bool) {
		dir, outside := t.TempDir(), t.TempDir()
		write(t, filepath.Join(dir, "d/sub/file"), "inside")
		write(t, filepath.Join(outside, "sub/file"), "outside")
		if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		root := openRoot(t, dir, walk)
		at := func(n string) string { return filepath.Join(dir, n) }

		var stop atomic.Bool
		var swapper sync.WaitGroup
		swapper.Go(func() {
			for !stop.Load() {
				// d is a directory, then nothing, then a link, then nothing …
				_ = os.Rename(at("d"), at("parked"))
				_ = os.Rename(at("link"), at("d"))
				_ = os.Rename(at("d"), at("link"))
				_ = os.Rename(at("parked"), at("d"))
			}
		})
		reached := 0
		for i := range rounds {
			data, _, err := durable.ReadFile(root, "d/sub/file", 100)
			if err == nil {
				reached++
				if string(data) != "inside" {
					t.Fatalf("read %q from outside the root", data)
				}
			}
			// Writers must not escape either.
			if f, err := root.Create("d/sub/new", 0o600); err == nil {
				_ = f.Close()
			}
			if f, err := root.OpenWrite("d/sub/file"); err == nil {
				_, _ = f.WriteAt([]byte("inside"), 0)
				_ = f.Close()
			}
			if i%2 == 0 {
				_ = root.Rename("d/sub/new", "d/sub/newer")
				_ = root.Remove("d/sub/newer")
				_ = root.Mkdir("d/sub/made", 0o700)
			} else {
				_ = durable.RemoveAll(root, "d/sub/made")
			}
		}
		stop.Store(true)
		swapper.Wait()
		got, err := os.ReadFile(filepath.Join(outside, "sub/file"))
		if err != nil || string(got) != "outside" {
			t.Fatalf("the file outside was touched: %q, %v", got, err)
		}
		entries, err := os.ReadDir(filepath.Join(outside, "sub"))
		if err != nil || len(entries) != 1 {
			t.Fatalf("names were made outside: %v, %v", entries, err)
		}
		if reached == 0 {
			t.Log("the race never let a read through; it shows less than it could")
		}
	})
}

// TestLastComponentSwapRace replaces the file itself by a link and by a FIFO.
func TestLastComponentSwapRace(t *testing.T) {
	bothWays(t, func(t *testing.T, walk bool) {
		dir, outside := t.TempDir(), t.TempDir()
		write(t, filepath.Join(outside, "victim"), "outside")
		at := func(n string) string { return filepath.Join(dir, n) }
		write(t, at("regular"), "inside")
		if err := os.Symlink(filepath.Join(outside, "victim"), at("link")); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(at("fifo"), 0o644); err != nil {
			t.Fatal(err)
		}
		root := openRoot(t, dir, walk)
		var stop atomic.Bool
		var swapper sync.WaitGroup
		swapper.Go(func() {
			for !stop.Load() {
				for _, n := range []string{"regular", "link", "fifo"} {
					_ = os.Rename(at(n), at("f"))
					_ = os.Rename(at("f"), at(n))
				}
			}
		})
		for range 3000 {
			data, _, err := durable.ReadFile(root, "f", 100)
			switch {
			case err == nil && string(data) != "inside":
				t.Fatalf("read %q through a link", data)
			case err == nil, errors.Is(err, fs.ErrNotExist), errors.Is(err, durable.ErrSymlink), errors.Is(err, durable.ErrNotRegular):
			default:
				t.Fatal(err)
			}
		}
		stop.Store(true)
		swapper.Wait()
	})
}

// TestNotRegular opens what is not a file. The FIFO has no other end: an open
// that blocked would never return.
func TestNotRegular(t *testing.T) {
	bothWays(t, func(t *testing.T, walk bool) {
		dir := t.TempDir()
		root := openRoot(t, dir, walk)
		if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
			t.Fatal(err)
		}
		names := []string{"fifo", "dir", "."}
		if l, err := net.Listen("unix", filepath.Join(dir, "socket")); err == nil { // the path may be too long for one
			defer func() { _ = l.Close() }()
			names = append(names, "socket")
		}
		// 10,240 is major 10 minor 240: no driver has it, so that a test that
		// fails opens nothing.
		if err := syscall.Mknod(filepath.Join(dir, "char"), syscall.S_IFCHR|0o666, 10<<8|240); err == nil {
			names = append(names, "char")
		} else {
			t.Logf("without a device: %v", err)
		}
		if err := syscall.Mknod(filepath.Join(dir, "block"), syscall.S_IFBLK|0o666, 240<<8); err == nil {
			names = append(names, "block")
		}
		for _, name := range names {
			for _, verb := range []string{"open", "openwrite", "readfile"} {
				if err := verbs(root)[verb](name); !errors.Is(err, durable.ErrNotRegular) {
					t.Errorf("%s %s: %v, want ErrNotRegular", verb, name, err)
				}
			}
			if name == "." {
				continue
			}
			if _, err := durable.ReadHostFile(filepath.Join(dir, name), 100); !errors.Is(err, durable.ErrNotRegular) {
				t.Errorf("ReadHostFile %s: %v, want ErrNotRegular", name, err)
			}
			if err := durable.RemoveAll(root, name); err != nil {
				t.Errorf("RemoveAll %s: %v", name, err)
			}
		}
	})
}
