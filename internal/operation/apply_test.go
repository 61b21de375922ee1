package operation

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestApply(t *testing.T) {
	root, _ := newLinux(t)
	for name, fsys := range map[string]durable.FS{"memfs": newDisk(t), "linux": root} {
		t.Run(name, func(t *testing.T) {
			p := copyApp()
			p.Dst = "new/deep/app"
			for _, inPlace := range []bool{false, true} {
				rehearsed, err := Rehearse(fsys, p)
				check(t, err)
				if !inPlace && text(fsys, "new") != "absent" {
					t.Error("a rehearsal made something")
				}
				got, err := Apply(fsys, p)
				want := Result{Bytes: 9, BLAKE3: sumOf("new bytes"), Mode: "0755", AlreadyInPlace: inPlace}
				if err != nil || got != want || rehearsed != want {
					t.Errorf("%+v, %+v, %v; want %+v", got, rehearsed, err, want)
				}
			}
			if info, err := fsys.Lstat(p.Dst); err != nil || info.Mode != 0o755 || text(fsys, p.Dst) != "new bytes" {
				t.Error(info, err)
			}
			for _, dir := range []string{"new", "new/deep"} {
				if info, err := fsys.Lstat(dir); err != nil || info.Mode != fs.ModeDir|0o755 {
					t.Error(dir, info, err)
				}
			}
			if entries, err := fsys.ReadDir("new/deep"); err != nil || len(entries) != 1 {
				t.Error(entries, err)
			}
			p.BLAKE3, p.Mode = sumOf("new bytes"), 0o600 // another mode is enough
			got, err := Apply(fsys, p)
			if err != nil || got.AlreadyInPlace || !got.HashPinned || got.Mode != "0600" {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestApplySizes(t *testing.T) {
	m := newDisk(t)
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, buffers*chunk + 7, 9*chunk + 1} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i * 31 >> 3)
		}
		check(t, durable.WriteFile(m, "runtime/binaries/app", data, 0o755))
		got, err := Apply(m, copyApp())
		if err != nil || got.Bytes != int64(size) || got.BLAKE3 != sumOf(string(data)) || got.AlreadyInPlace {
			t.Errorf("%d bytes: %+v, %v", size, got, err)
		}
		if text(m, "bin/app") != string(data) {
			t.Errorf("%d bytes: other bytes arrived", size)
		}
		if sum, n, err := HashFile(m, "bin/app"); sum != got.BLAKE3 || n != int64(size) || err != nil {
			t.Errorf("%d bytes: HashFile gives %s, %d, %v", size, sum, n, err)
		}
		if got, err = Apply(m, copyApp()); err != nil || !got.AlreadyInPlace || got.BLAKE3 != sumOf(string(data)) {
			t.Errorf("%d bytes, again: %+v, %v", size, got, err)
		}
	}
}

// TestApplyWritesBehind: for a large file the disk starts before the end, on all bytes in
// order. A failure of that must fail the application: a later flush that succeeds does not
// bring the bytes back.
func TestApplyWritesBehind(t *testing.T) {
	root, dir := newLinux(t)
	check(t, os.Truncate(filepath.Join(dir, "runtime/binaries/app"), 3*behindEvery+5))
	watched := &watchedFS{FS: root}
	if _, err := Apply(watched, copyApp()); err != nil || watched.upTo < behindEvery || watched.gaps {
		t.Errorf("%d bytes written behind, gaps %t, %v", watched.upTo, watched.gaps, err)
	}
	check(t, root.Remove("bin/app"))
	watched.fail = syscall.EIO
	if _, err := Apply(watched, copyApp()); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if entries, err := root.ReadDir("bin"); err != nil || len(entries) != 0 {
		t.Error("published or left behind:", entries, err)
	}
}

// watchedFS records the bytes that are written behind of the files that it creates, and
// can fail that.
type watchedFS struct {
	durable.FS
	upTo int64
	gaps bool
	fail error
}

func (w *watchedFS) Create(name string, perm fs.FileMode) (durable.File, error) {
	f, err := w.FS.Create(name, perm)
	w.upTo = 0
	return watchedFile{f, w}, err
}

type watchedFile struct {
	durable.File
	fs *watchedFS
}

func (f watchedFile) WriteBehind(off, length int64) error {
	f.fs.gaps = f.fs.gaps || off != f.fs.upTo
	f.fs.upTo = off + length
	return errors.Join(f.fs.fail, durable.WriteBehind(f.File, off, length))
}

func TestApplyMismatch(t *testing.T) {
	for _, there := range []string{"", "old bytes", "new bytes"} {
		m := newDisk(t)
		if there != "" {
			put(t, m, "bin/app", there, 0o755)
		}
		before := m.Dump()
		p := copyApp()
		p.BLAKE3 = sumOf("other bytes")
		for name, f := range map[string]func(durable.FS, Planned) (Result, error){"apply": Apply, "rehearse": Rehearse} {
			_, err := f(m, p)
			var e *Error
			if !errors.Is(err, ErrMismatch) || !errors.As(err, &e) || e.Path != p.Src || e.Message() != "precheck: operation source hash mismatch" {
				t.Errorf("%s: %v", name, err)
			}
			if !maps.Equal(before, m.Dump()) {
				t.Errorf("%s changed the disk: %v", name, m.Dump())
			}
		}
	}
}

// TestInPlaceReadsLittle: a destination that differs is read up to the difference; one that
// is in place is read once, and so is its source.
func TestInPlaceReadsLittle(t *testing.T) {
	m := newDisk(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 4*chunk/16)
	check(t, durable.WriteFile(m, "runtime/binaries/app", big, 0o755))
	changed := bytes.Clone(big)
	changed[10] ^= 1
	for _, tt := range []struct {
		there       []byte
		src, dst    int // chunks read
		wantInPlace bool
	}{
		{big, 4, 4, true},
		{changed, 1 + 4, 1, false},
		{big[1:], 4, 0, false},
	} {
		check(t, durable.WriteFile(m, "bin/app", tt.there, 0o755))
		read := map[string]int{}
		m.SetHook(func(op memfs.Op) error {
			if op.Kind == memfs.OpRead && op.Len > 1 {
				read[op.Name] += op.Len
			}
			return nil
		})
		res, err := Apply(m, copyApp())
		m.SetHook(nil)
		if err != nil || res.AlreadyInPlace != tt.wantInPlace || read["runtime/binaries/app"] != tt.src*chunk || read["bin/app"] != tt.dst*chunk {
			t.Errorf("%+v, %v, read %v", res, err, read)
		}
	}
}

// TestNotInPlace: files that look like the installed one and are not.
func TestNotInPlace(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"setuid":     func(dir string) error { return os.Chmod(dir+"/bin/app", os.ModeSetuid|0o755) },
		"sticky":     func(dir string) error { return os.Chmod(dir+"/bin/app", os.ModeSticky|0o755) },
		"other mode": func(dir string) error { return os.Chmod(dir+"/bin/app", 0o757) },
		"two links":  func(dir string) error { return os.Link(dir+"/bin/app", dir+"/second") },
		"truncated":  func(dir string) error { return os.Truncate(dir+"/bin/app", 3) },
		"other byte": func(dir string) error { return os.WriteFile(dir+"/bin/app", []byte("new bytez"), 0o755) },
		"fifo": func(dir string) error {
			return errors.Join(os.Remove(dir+"/bin/app"), syscall.Mkfifo(dir+"/bin/app", 0o755))
		},
		"link": func(dir string) error {
			return errors.Join(os.Remove(dir+"/bin/app"), os.Symlink("../runtime/binaries/app", dir+"/bin/app"))
		},
		"gone":        func(dir string) error { return os.Remove(dir + "/bin/app") },
		"folder gone": func(dir string) error { return os.RemoveAll(dir + "/bin") },
		"folder is a file": func(dir string) error {
			return errors.Join(os.RemoveAll(dir+"/bin"), os.WriteFile(dir+"/bin", nil, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			root, dir := newLinux(t)
			_, err := Apply(root, copyApp())
			check(t, err)
			if ok, err := InPlace(root, "bin/app", sumOf("new bytes"), "0755", 9); !ok || err != nil {
				t.Fatal("not in place to begin with:", err)
			}
			check(t, spoil(dir))
			ok, err := InPlace(root, "bin/app", sumOf("new bytes"), "0755", 9)
			if err != nil || ok != (name == "two links") { // it is as installed, but not as Apply would leave it
				t.Error("InPlace:", ok, err)
			}
			res, err := Apply(root, copyApp())
			if name == "folder is a file" {
				if !errors.Is(err, syscall.ENOTDIR) {
					t.Error(err)
				}
				return
			}
			info, statErr := os.Lstat(dir + "/bin/app")
			if err != nil || res.AlreadyInPlace || statErr != nil || info.Mode() != 0o755 || text(root, "bin/app") != "new bytes" {
				t.Errorf("%+v, %v, %v", res, err, info)
			}
		})
	}
}

func TestInPlaceDiskError(t *testing.T) {
	m := newDisk(t)
	for _, kind := range []memfs.OpKind{memfs.OpOpen, memfs.OpStat, memfs.OpRead} {
		m.SetHook(func(op memfs.Op) error {
			if op.Kind == kind {
				return syscall.EIO
			}
			return nil
		})
		if ok, err := InPlace(m, "runtime/binaries/app", sumOf("new bytes"), "0755", 9); ok || !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v, %v", kind, ok, err)
		}
		if _, _, err := HashFile(m, "runtime/binaries/app"); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestSourceChanges: the source becomes longer, shorter or another object between planning,
// opening and reading. None of it is published.
func TestSourceChanges(t *testing.T) {
	src := "runtime/binaries/app"
	resize := func(m *memfs.FS, size int64) error {
		f, err := m.OpenWrite(src)
		if err != nil {
			return err
		}
		return errors.Join(f.Truncate(size), f.Close())
	}
	swap := func(plant func(m *memfs.FS) error) func(m *memfs.FS) error {
		return func(m *memfs.FS) error { return errors.Join(m.Remove(src), plant(m)) }
	}
	for _, tt := range []struct {
		name   string
		kind   memfs.OpKind // of the operation on the source before which it changes
		change func(m *memfs.FS) error
		is     error
	}{
		{"grows", memfs.OpRead, func(m *memfs.FS) error { return resize(m, 1<<20) }, ErrChanged},
		{"shrinks", memfs.OpRead, func(m *memfs.FS) error { return resize(m, 3) }, ErrChanged},
		{"vanishes", memfs.OpOpen, swap(func(*memfs.FS) error { return nil }), fs.ErrNotExist},
		{"link", memfs.OpOpen, swap(func(m *memfs.FS) error { return m.PlantSymlink(src, "../manifest.json") }), durable.ErrSymlink},
		{"fifo", memfs.OpOpen, swap(func(m *memfs.FS) error { return m.PlantFIFO(src) }), durable.ErrNotRegular},
		{"device", memfs.OpOpen, swap(func(m *memfs.FS) error { return m.PlantDevice(src) }), durable.ErrNotRegular},
		{"second link", memfs.OpStat, func(m *memfs.FS) error { return m.PlantHardlink(src, "second") }, ErrSource},
	} {
		for _, there := range []string{"", "old bytes"} { // of the same size, so it is compared
			t.Run(tt.name+there, func(t *testing.T) {
				m := newDisk(t)
				if there != "" {
					put(t, m, "bin/app", there, 0o755)
				}
				done := false
				m.SetHook(func(op memfs.Op) error {
					if op.Kind != tt.kind || op.Name != src || done {
						return nil
					}
					done = true
					m.SetHook(nil)
					return tt.change(m)
				})
				_, err := Apply(m, copyApp())
				if !done || !errors.Is(err, tt.is) {
					// A source that grew while it was compared is then copied as it is.
					if err != nil || tt.is != ErrChanged || there == "" || tt.name != "grows" {
						t.Fatalf("%v, want %v", err, tt.is)
					}
					return
				}
				want := there
				if there == "" {
					want = "absent"
				}
				if got := text(m, "bin/app"); got != want || text(m, "bin/"+tempName) != "absent" {
					t.Errorf("%.20q was published", got)
				}
			})
		}
	}
}

// TestStaleTemporary: anything in the place of the temporary file.
func TestStaleTemporary(t *testing.T) {
	temp := "bin/" + tempName
	for name, plant := range map[string]func(m *memfs.FS) error{
		"file":      func(m *memfs.FS) error { return durable.WriteFile(m, temp, []byte("stale"), 0o600) },
		"directory": func(m *memfs.FS) error { return m.Mkdir(temp, 0o755) },
		"link":      func(m *memfs.FS) error { return m.PlantSymlink(temp, "../bootstrap/config.yaml") },
		"fifo":      func(m *memfs.FS) error { return m.PlantFIFO(temp) },
		"hard link": func(m *memfs.FS) error { return m.PlantHardlink("bootstrap/config.yaml", temp) },
	} {
		for _, there := range []string{"old bytes", "new bytes"} {
			m := newDisk(t)
			put(t, m, "bin/app", there, 0o755)
			check(t, plant(m))
			if _, err := Apply(m, copyApp()); err != nil || text(m, "bin/app") != "new bytes" || text(m, "bootstrap/config.yaml") != "a: b\n" {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := m.Lstat(temp); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: left behind: %v", name, err)
			}
		}
	}
}

// TestTemporaryCannotGo: something in the place of the temporary file that cannot be removed
// stops only an application that needs the place.
func TestTemporaryCannotGo(t *testing.T) {
	m := newDisk(t)
	check(t, durable.MkdirAll(m, "bin/"+tempName+"/somebody's", 0o755))
	put(t, m, "bin/app", "new bytes", 0o755)
	res, err := Apply(m, copyApp())
	if err != nil || !res.AlreadyInPlace || !errors.Is(res.Leftover, syscall.ENOTEMPTY) {
		t.Errorf("in place: %+v, %v", res, err)
	}
	put(t, m, "bin/app", "old bytes", 0o755)
	var e *Error
	if _, err := Apply(m, copyApp()); !errors.Is(err, syscall.ENOTEMPTY) || !errors.As(err, &e) || e.Path != "bin/app" {
		t.Errorf("to be written: %v", err)
	}
	if _, err := m.Lstat("bin/" + tempName + "/somebody's"); err != nil || text(m, "bin/app") != "old bytes" {
		t.Error("somebody's directory or the destination was touched:", err)
	}
}

func TestApplyDiskFull(t *testing.T) {
	m := newDisk(t)
	check(t, durable.WriteFile(m, "runtime/binaries/app", make([]byte, 3<<20), 0o755))
	put(t, m, "bin/app", "old bytes", 0o755)
	m.SetCapacity(m.Used() + 1<<20)
	used := m.Used()
	_, err := Apply(m, copyApp())
	var e *Error
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &e) || !strings.Contains(e.NextStep(), "free space") {
		t.Error(err)
	}
	if text(m, "bin/app") != "old bytes" || m.Used() != used {
		t.Error("space is taken, or the destination changed")
	}
}

// TestRehearseChangesNothing: a rehearsal works also on a disk that cannot be written.
func TestRehearseChangesNothing(t *testing.T) {
	_, dir := newLinux(t)
	root, err := durable.OpenRootReadOnly(dir)
	check(t, err)
	defer root.Close()
	for range 2 {
		if res, err := Rehearse(root, copyApp()); err != nil || res.BLAKE3 != sumOf("new bytes") {
			t.Error(res, err)
		}
		check(t, os.WriteFile(dir+"/bin/app", []byte("new bytes"), 0o755), os.Chmod(dir+"/bin/app", 0o755))
	}
	m := newDisk(t)
	for n := 1; ; n++ {
		start := m.Ops()
		m.SetHook(func(op memfs.Op) error {
			if op.Mutates {
				t.Errorf("a rehearsal does %s %s", op.Kind, op.Name)
			}
			if op.N == start+n && op.Kind != memfs.OpClose {
				return syscall.EIO
			}
			return nil
		})
		_, err := Rehearse(m, copyApp())
		if m.Ops() < start+n {
			return
		}
		if err != nil && !errors.Is(err, syscall.EIO) {
			t.Error(n, err)
		}
	}
}
