package durable_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// openRoot opens a temporary directory in one of the two ways of resolving.
func openRoot(t testing.TB, dir string, walk bool) *durable.Root {
	t.Helper()
	r, err := durable.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if walk {
		durable.ForceWalk(r)
	}
	return r
}

// bothWays runs a test with openat2 and with the walk.
func bothWays(t *testing.T, test func(t *testing.T, walk bool)) {
	for _, walk := range []bool{false, true} {
		t.Run(map[bool]string{false: "openat2", true: "walk"}[walk], func(t *testing.T) { test(t, walk) })
	}
}

// class returns what an error means to a caller; two implementations agree if their
// errors have the same class.
func class(err error) string {
	if err == nil {
		return "ok"
	}
	for _, sentinel := range []error{
		durable.ErrName, durable.ErrSymlink, durable.ErrNotRegular, durable.ErrTooLarge, fs.ErrClosed, io.EOF,
	} {
		if errors.Is(err, sentinel) {
			return sentinel.Error()
		}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return fmt.Sprintf("%s (%d)", errno.Error(), int(errno))
	}
	return "unclassed: " + err.Error()
}

// pair drives the Linux implementation and the twin side by side.
type pair struct {
	dir   string
	linux *durable.Root
	mem   *memfs.FS
	files []filePair
}

type filePair struct{ linux, mem durable.File }

func (p *pair) agree(t *rapid.T, what string, linux, mem error) bool {
	if l, m := class(linux), class(mem); l != m {
		t.Fatalf("%s: Linux says %s (%v), memfs %s (%v)", what, l, linux, m, mem)
	}
	return linux == nil
}

func (p *pair) keep(t *rapid.T, what string, l durable.File, lErr error, m durable.File, mErr error) {
	if !p.agree(t, what, lErr, mErr) {
		return
	}
	p.files = append(p.files, filePair{l, m})
}

func sameInfo(l, m durable.Info) bool {
	if l.Name != m.Name || l.Mode != m.Mode {
		return false
	}
	return !l.Mode.IsRegular() || l.Size == m.Size && l.Nlink == m.Nlink
}

var namesDrawn = rapid.SampledFrom([]string{
	"a", "b", "c", "a/a", "a/b", "a/c", "b/a", "b/b", "a/a/a", "a/a/b", "a/b/c", "b/a/a", "c/a", "a/a/a/a",
	"a", "b", "a/b", ".", "", "/a", "../a", "a//b", "a/./b", "a/", "a/../b", strings.Repeat("n", 256), "a/" + strings.Repeat("n", 256) + "/b",
})

func actions(p *pair) map[string]func(*rapid.T) {
	perms := rapid.SampledFrom([]fs.FileMode{0o600, 0o640, 0o777, 0o666, 0o755})
	file := func(t *rapid.T) filePair {
		if len(p.files) == 0 {
			t.Skip("no open file")
		}
		return p.files[rapid.IntRange(0, len(p.files)-1).Draw(t, "file")]
	}
	return map[string]func(*rapid.T){
		"create": func(t *rapid.T) {
			name, perm := namesDrawn.Draw(t, "name"), perms.Draw(t, "perm")
			l, lErr := p.linux.Create(name, perm)
			m, mErr := p.mem.Create(name, perm)
			p.keep(t, "create "+name, l, lErr, m, mErr)
		},
		"open": func(t *rapid.T) {
			name := namesDrawn.Draw(t, "name")
			l, lErr := p.linux.Open(name)
			m, mErr := p.mem.Open(name)
			p.keep(t, "open "+name, l, lErr, m, mErr)
		},
		"openwrite": func(t *rapid.T) {
			name := namesDrawn.Draw(t, "name")
			l, lErr := p.linux.OpenWrite(name)
			m, mErr := p.mem.OpenWrite(name)
			p.keep(t, "openwrite "+name, l, lErr, m, mErr)
		},
		"mkdir": func(t *rapid.T) {
			name, perm := namesDrawn.Draw(t, "name"), rapid.SampledFrom([]fs.FileMode{0o700, 0o750, 0o777}).Draw(t, "perm")
			p.agree(t, "mkdir "+name, p.linux.Mkdir(name, perm), p.mem.Mkdir(name, perm))
		},
		"rename": func(t *rapid.T) {
			from, to := namesDrawn.Draw(t, "from"), namesDrawn.Draw(t, "to")
			p.agree(t, "rename "+from+" "+to, p.linux.Rename(from, to), p.mem.Rename(from, to))
		},
		"remove": func(t *rapid.T) {
			name := namesDrawn.Draw(t, "name")
			p.agree(t, "remove "+name, p.linux.Remove(name), p.mem.Remove(name))
		},
		"removeall": func(t *rapid.T) {
			name := rapid.SampledFrom([]string{"a/a", "b", "a/b", "."}).Draw(t, "name")
			p.agree(t, "removeall "+name, durable.RemoveAll(p.linux, name), durable.RemoveAll(p.mem, name))
		},
		"mkdirall": func(t *rapid.T) {
			name := namesDrawn.Draw(t, "name")
			p.agree(t, "mkdirall "+name, durable.MkdirAll(p.linux, name, 0o755), durable.MkdirAll(p.mem, name, 0o755))
		},
		"writefile": func(t *rapid.T) {
			name, data := namesDrawn.Draw(t, "name"), []byte("written whole")
			p.agree(t, "writefile "+name, durable.WriteFile(p.linux, name, data, 0o640), durable.WriteFile(p.mem, name, data, 0o640))
		},
		"lstat": func(t *rapid.T) {
			name := namesDrawn.Draw(t, "name")
			l, lErr := p.linux.Lstat(name)
			m, mErr := p.mem.Lstat(name)
			if p.agree(t, "lstat "+name, lErr, mErr) && name != "." && !sameInfo(l, m) {
				t.Fatalf("lstat %s: Linux %+v, memfs %+v", name, l, m)
			}
		},
		"syncdir": func(t *rapid.T) {
			name := namesDrawn.Draw(t, "name")
			p.agree(t, "syncdir "+name, p.linux.SyncDir(name), p.mem.SyncDir(name))
		},
		"readdir": func(t *rapid.T) {
			name := namesDrawn.Draw(t, "name")
			l, lErr := p.linux.ReadDir(name)
			m, mErr := p.mem.ReadDir(name)
			if p.agree(t, "readdir "+name, lErr, mErr) && !slices.EqualFunc(l, m, sameInfo) {
				t.Fatalf("readdir %s: Linux %+v, memfs %+v", name, l, m)
			}
			quick, qErr := durable.Names(p.linux, name)
			slow, sErr := durable.Names(p.mem, name)
			if p.agree(t, "names "+name, qErr, sErr) && !slices.Equal(quick, slow) {
				t.Fatalf("names %s: Linux %q, memfs %q", name, quick, slow)
			}
		},
		"plant": func(t *rapid.T) {
			name, kind := rapid.SampledFrom([]string{"a", "b", "a/b", "b/a", "a/a/b"}).Draw(t, "name"), rapid.IntRange(0, 2).Draw(t, "kind")
			if _, err := p.mem.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
				return
			}
			host := filepath.Join(p.dir, name)
			switch kind {
			case 0:
				p.agree(t, "symlink "+name, os.Symlink("a", host), p.mem.PlantSymlink(name, "a"))
			case 1:
				p.agree(t, "fifo "+name, syscall.Mkfifo(host, 0o644), p.mem.PlantFIFO(name))
			case 2:
				if info, err := p.mem.Lstat("a/a"); err == nil && info.Mode.IsRegular() {
					p.agree(t, "link "+name, os.Link(filepath.Join(p.dir, "a/a"), host), p.mem.PlantHardlink("a/a", name))
				}
			}
		},
		"write": func(t *rapid.T) {
			f, data := file(t), rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(t, "data")
			l, lErr := f.linux.Write(data)
			m, mErr := f.mem.Write(data)
			p.same(t, "write", l, lErr, m, mErr)
		},
		"writeat": func(t *rapid.T) {
			f, data := file(t), rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")
			off := rapid.Int64Range(-1, 9000).Draw(t, "off")
			l, lErr := f.linux.WriteAt(data, off)
			m, mErr := f.mem.WriteAt(data, off)
			p.same(t, "writeat", l, lErr, m, mErr)
		},
		"read": func(t *rapid.T) {
			f := file(t)
			lBuf, mBuf := make([]byte, 700), make([]byte, 700)
			l, lErr := f.linux.Read(lBuf)
			m, mErr := f.mem.Read(mBuf)
			p.same(t, "read", l, lErr, m, mErr)
			if string(lBuf) != string(mBuf) {
				t.Fatal("read gives other bytes")
			}
		},
		"readat": func(t *rapid.T) {
			f, off := file(t), rapid.Int64Range(-1, 6000).Draw(t, "off")
			lBuf, mBuf := make([]byte, 900), make([]byte, 900)
			l, lErr := f.linux.ReadAt(lBuf, off)
			m, mErr := f.mem.ReadAt(mBuf, off)
			p.same(t, "readat", l, lErr, m, mErr)
			if string(lBuf) != string(mBuf) {
				t.Fatal("readat gives other bytes")
			}
		},
		"truncate": func(t *rapid.T) {
			f, size := file(t), rapid.Int64Range(-1, 9000).Draw(t, "size")
			p.agree(t, "truncate", f.linux.Truncate(size), f.mem.Truncate(size))
		},
		"preallocate": func(t *rapid.T) {
			f, off, n := file(t), rapid.Int64Range(-1, 9000).Draw(t, "off"), rapid.Int64Range(-1, 9000).Draw(t, "length")
			p.agree(t, "preallocate", f.linux.Preallocate(off, n), f.mem.Preallocate(off, n))
		},
		"in place": func(t *rapid.T) { // changes nothing that a call sees
			f := file(t)
			for _, f := range []durable.File{f.linux, f.mem} {
				if err := durable.NoCOW(f); err != nil && !errors.Is(err, fs.ErrClosed) {
					t.Fatal("nocow:", err)
				}
				durable.RandomAccess(f)
			}
		},
		"chmod": func(t *rapid.T) {
			f, perm := file(t), rapid.SampledFrom([]fs.FileMode{0o600, 0o777, 0o640, 0o644 | fs.ModeSetuid}).Draw(t, "perm")
			p.agree(t, "chmod", f.linux.Chmod(perm), f.mem.Chmod(perm))
		},
		"sync": func(t *rapid.T) {
			f := file(t)
			p.agree(t, "datasync", f.linux.Datasync(), f.mem.Datasync())
			p.agree(t, "sync", f.linux.Sync(), f.mem.Sync())
		},
		"stat": func(t *rapid.T) {
			f := file(t)
			l, lErr := f.linux.Stat()
			m, mErr := f.mem.Stat()
			if p.agree(t, "stat", lErr, mErr) && !sameInfo(l, m) {
				t.Fatalf("stat: Linux %+v, memfs %+v", l, m)
			}
		},
		"close": func(t *rapid.T) {
			f := file(t)
			p.agree(t, "close", f.linux.Close(), f.mem.Close())
		},
	}
}

func (p *pair) same(t *rapid.T, what string, l int, lErr error, m int, mErr error) {
	if p.agree(t, what, lErr, mErr); l != m {
		t.Fatalf("%s: Linux moved %d bytes, memfs %d", what, l, m)
	}
}

// TestConformance runs random programs on the Linux implementation and on the
// twin: every result has the same class, and the trees end equal, also after a
// crash that keeps everything and after a restart.
func TestConformance(t *testing.T) {
	bothWays(t, func(t *testing.T, walk bool) {
		rapid.Check(t, func(rt *rapid.T) {
			dir, err := os.MkdirTemp(t.TempDir(), "")
			if err != nil {
				rt.Fatal(err)
			}
			root := openRoot(t, dir, walk)
			p := &pair{dir: dir, linux: root, mem: memfs.New()}
			defer func() {
				for _, f := range p.files {
					_ = f.linux.Close()
				}
			}()
			for _, d := range []string{"a", "b", "a/a"} { // something to meet
				if rapid.Bool().Draw(rt, "mkdir "+d) {
					p.agree(rt, "mkdir", root.Mkdir(d, 0o755), p.mem.Mkdir(d, 0o755))
				}
			}
			rt.Repeat(actions(p))

			linux, err := memfs.Tree(root)
			if err != nil {
				rt.Fatal(err)
			}
			if mem := p.mem.Dump(); !maps.Equal(linux, mem) {
				rt.Fatalf("trees differ:\nLinux %v\nmemfs %v", linux, mem)
			}
			if kept := p.mem.Crash(memfs.Crash{Keep: memfs.All}).Dump(); !maps.Equal(linux, kept) {
				rt.Fatalf("a crash that keeps all differs:\nbefore %v\nafter  %v", linux, kept)
			}
			next := p.mem.Restart()
			if after := next.Dump(); !maps.Equal(linux, after) {
				rt.Fatalf("the next process sees another tree:\nbefore %v\nafter  %v", linux, after)
			}
			for _, f := range p.files {
				_ = f.mem.Close() // closed already, perhaps
			}
			if p.mem.Used() != next.Used() || p.mem.Inodes() != next.Inodes() { // the next process counted from scratch
				rt.Fatalf("%d bytes and %d inodes are in use, not %d and %d", next.Used(), next.Inodes(), p.mem.Used(), p.mem.Inodes())
			}
		})
	})
}
