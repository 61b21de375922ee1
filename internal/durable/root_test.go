package durable_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

func TestOpenRoot(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		dir  string
		want error
	}{
		{"real", nil},
		{"real/", nil},
		{"link", durable.ErrSymlink},
		{"link/", durable.ErrSymlink}, // a slash must not make it followed
		{"file", syscall.ENOTDIR},
		{"fifo", syscall.ENOTDIR},
		{"absent", fs.ErrNotExist},
		{"link/absent", fs.ErrNotExist},
	}
	for _, open := range []func(string) (*durable.Root, error){durable.OpenRoot, durable.OpenRootReadOnly} {
		for _, test := range tests {
			r, err := open(dir + "/" + test.dir)
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %v, want %v", test.dir, err, test.want)
			}
			if err != nil {
				if !strings.Contains(err.Error(), dir) {
					t.Errorf("%s: the error does not name the path: %v", test.dir, err)
				}
				continue
			}
			if r.Path() != filepath.Join(dir, "real") || r.Fd() < 0 {
				t.Errorf("path %s, fd %d", r.Path(), r.Fd())
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestClosedRoot(t *testing.T) {
	r := openRoot(t, t.TempDir(), false)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second close: %v", err)
	}
	for verb, try := range verbs(r) {
		for _, name := range []string{"a", "a/b"} {
			if err := try(name); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s %s: %v, want fs.ErrClosed", verb, name, err)
			}
		}
	}
	_, lockErr := r.TryLock()
	for _, err := range []error{lockErr, r.Unlock(), r.SyncDir("."), r.CheckWrite(".")} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%v, want fs.ErrClosed", err)
		}
	}
}

func TestClosedFile(t *testing.T) {
	r := openRoot(t, t.TempDir(), false)
	f, err := r.Create("f", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	_, read := f.Read(b)
	_, readAt := f.ReadAt(b, 0)
	_, wrote := f.Write(b)
	_, wroteAt := f.WriteAt(nil, 0)
	_, stat := f.Stat()
	for _, err := range []error{
		read, readAt, wrote, wroteAt, stat, f.Truncate(0), f.Preallocate(0, 1), f.Chmod(0o600), f.Chown(1, 1), f.Sync(), f.Datasync(), f.Close(),
	} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%v, want fs.ErrClosed", err)
		}
	}
}

func TestChown(t *testing.T) {
	r := openRoot(t, t.TempDir(), false)
	f, err := r.Create("f", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	before, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Chown(before.UID, before.GID); err != nil {
		t.Error("the owner that it has already:", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	if err := f.Chown(4242, 4343); err != nil {
		t.Skip(err)
	}
	if info, err := f.Stat(); err != nil || info.UID != 4242 || info.GID != 4343 || info.Mode != 0o600 {
		t.Errorf("%+v, %v", info, err)
	}
}

// TestExactModes needs a umask that takes bits away. The umask is the
// process's, so that this test and its package do not run in parallel.
func TestExactModes(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	bothWays(t, func(t *testing.T, walk bool) {
		dir := t.TempDir()
		r := openRoot(t, dir, walk)
		for _, perm := range []fs.FileMode{0o666, 0o755, 0o600, 0o777} {
			name := "f" + perm.String()[1:]
			if err := durable.WriteFile(r, name, []byte("x"), perm); err != nil {
				t.Fatal(err)
			}
			if err := r.Mkdir(name+".d", perm|0o500); err != nil {
				t.Fatal(err)
			}
			file, err := r.Lstat(name)
			if err != nil || file.Mode != perm {
				t.Errorf("file: %v, %v, want %v", file.Mode, err, perm)
			}
			sub, err := r.Lstat(name + ".d")
			if err != nil || sub.Mode != perm|0o500|fs.ModeDir {
				t.Errorf("directory: %v, %v, want %v", sub.Mode, err, perm|0o500)
			}
		}
		for _, perm := range []fs.FileMode{fs.ModeSetuid | 0o755, fs.ModeSticky | 0o777} {
			if _, err := r.Create("odd", perm); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("create %v: %v", perm, err)
			}
			if err := r.Mkdir("odd", perm); !errors.Is(err, syscall.EINVAL) {
				t.Errorf("mkdir %v: %v", perm, err)
			}
		}
	})
}

func TestSetgidDirectoryIsInherited(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	r := openRoot(t, dir, false)
	root, err := r.Lstat(".")
	if err != nil {
		t.Fatal(err)
	}
	if root.Mode&fs.ModeSetgid == 0 {
		t.Skip("this filesystem or user cannot set the bit")
	}
	if err := r.Mkdir("d", 0o750); err != nil {
		t.Fatal(err)
	}
	if d, err := r.Lstat("d"); err != nil || d.Mode != fs.ModeDir|fs.ModeSetgid|0o750 {
		t.Errorf("%v, %v", d.Mode, err)
	}
}

func TestInfo(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "four")
	if err := os.Link(filepath.Join(dir, "f"), filepath.Join(dir, "g")); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1_000_000_000, 123_456_789)
	if err := os.Chtimes(filepath.Join(dir, "f"), when, when); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "f"), 0o640|fs.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	r := openRoot(t, dir, false)
	info, err := r.Lstat("f")
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Lstat(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	st := host.Sys().(*syscall.Stat_t)
	want := durable.Info{Name: "f", Size: 4, Mode: 0o640 | fs.ModeSetuid, ModTime: info.ModTime, Nlink: 2, UID: st.Uid, Dev: st.Dev, Ino: st.Ino}
	if info != want || !info.ModTime.Equal(when) || info.IsDir() {
		t.Errorf("got %+v, want %+v", info, want)
	}
	list, err := r.ReadDir(".")
	if err != nil || len(list) != 2 || list[0] != info || list[1].Name != "g" {
		t.Errorf("readdir: %+v, %v", list, err)
	}
}

func TestReadDirManyAndOddNames(t *testing.T) {
	dir := t.TempDir()
	for i := range 700 { // more than one getdents buffer
		write(t, filepath.Join(dir, "d", strings.Repeat("x", 40)+string(rune('a'+i%26))+strings.Repeat("y", i/26)), "")
	}
	write(t, filepath.Join(dir, "d", "not\xffutf8"), "")
	r := openRoot(t, dir, false)
	list, err := r.ReadDir("d")
	if err != nil || len(list) != 701 {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	for i := 1; i < len(list); i++ {
		if list[i-1].Name >= list[i].Name {
			t.Fatalf("not in order: %q, %q", list[i-1].Name, list[i].Name)
		}
	}
	if err := durable.RemoveAll(r, "d"); err != nil {
		t.Fatal(err)
	}
}

func TestReadOnlyRoot(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "d/f"), "text")
	write(t, filepath.Join(dir, "file"), "x")
	old := time.Unix(1_000_000_000, 0)
	for _, n := range []string{"d/f", "d", "file", "."} {
		if err := os.Chtimes(filepath.Join(dir, n), old, old); err != nil {
			t.Fatal(err)
		}
	}
	r, err := durable.OpenRootReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for _, verb := range []string{"openwrite", "create", "mkdir", "rename from", "rename to", "remove", "syncdir", "removeall", "writefile"} {
		if err := verbs(r)[verb]("d/f"); !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", verb, err)
		}
	}
	if data, info, err := durable.ReadFile(r, "d/f", 10); err != nil || string(data) != "text" || info.Size != 4 {
		t.Fatalf("%q %+v %v", data, info, err)
	}
	if list, err := r.ReadDir("d"); err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	for _, n := range []string{"d/f", "d"} {
		info, err := os.Stat(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		st := info.Sys().(*syscall.Stat_t)
		if !info.ModTime().Equal(old) || st.Atim.Sec != old.Unix() {
			t.Errorf("%s: reading changed its times: %v, %v", n, info.ModTime(), st.Atim)
		}
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	first, second := openRoot(t, dir, false), openRoot(t, dir, false)
	if held, err := first.TryLock(); !held || err != nil {
		t.Fatal(held, err)
	}
	if held, err := second.TryLock(); held || err != nil {
		t.Fatal("two hold it", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	if held, err := second.TryLock(); !held || err != nil {
		t.Fatal(held, err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if held, err := first.TryLock(); !held || err != nil {
		t.Fatal("closing did not release it", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Fatal("a lock file was left", entries, err)
	}
}

func TestProc(t *testing.T) {
	proc, err := durable.OpenRoot("/proc")
	if err != nil {
		t.Skip("no /proc")
	}
	defer func() { _ = proc.Close() }()
	if _, _, err := durable.ReadFile(proc, "self/status", 1<<16); !errors.Is(err, durable.ErrSymlink) {
		t.Errorf("/proc/self is a link: %v", err)
	}
	// A file of size 0 that has bytes.
	if data, _, err := durable.ReadFile(proc, "version", 1<<16); err != nil || len(data) == 0 {
		t.Errorf("/proc/version: %q, %v", data, err)
	}
}

func TestFileReadsAndWrites(t *testing.T) {
	r := openRoot(t, t.TempDir(), false)
	f, err := r.Create("f", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Preallocate(0, 10_000); err != nil {
		t.Fatal(err)
	}
	if n, err := f.WriteAt([]byte("tail"), 9_996); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	data, err := io.ReadAll(f)
	if err != nil || len(data) != 10_000 || string(data[9_996:]) != "tail" || data[0] != 0 {
		t.Fatal(len(data), err)
	}
	buf := make([]byte, 10)
	if n, err := f.ReadAt(buf, 9_995); n != 5 || err != io.EOF {
		t.Fatal(n, err)
	}
	ro, err := r.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ro.Close() }()
	if _, err := ro.Write(buf); !errors.Is(err, syscall.EBADF) {
		t.Error("wrote to a file opened for reading:", err)
	}
}
