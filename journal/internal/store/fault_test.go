package store

import (
	"errors"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
)

// TestStuckEngine: neither Pebble's Fatalf nor a panic nor an endless retry ends or
// blocks the process.
func TestStuckEngine(t *testing.T) {
	cause := errors.New("cause")
	var returned atomic.Bool
	for name, fn := range map[string]func(f *fault) error{
		"fatal":      func(f *fault) error { f.Fatalf("%w", cause); returned.Store(true); return nil },
		"panic":      func(*fault) error { panic(cause) },
		"error":      func(*fault) error { return cause },
		"background": func(f *fault) error { f.listener().BackgroundError(cause); select {} },
		"recorded":   func(f *fault) error { f.record("write", "x", cause); return nil },
	} {
		f := newFault()
		f.Infof("")
		f.Errorf("")
		f.listener().DataCorruption(pebble.DataCorruptionInfo{})
		err := f.run("try", "somewhere", func() error { return fn(f) })
		if !errors.Is(err, errs.ErrIO) || !strings.Contains(err.Error(), "cause") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 10000 {
		runtime.Gosched()
	}
	if returned.Load() {
		t.Error("Fatalf returns: Pebble continues")
	}
	if err := newFault().run("try", "somewhere", func() error { return pebble.ErrCorruption }); !errors.Is(err, errs.ErrCorrupt) {
		t.Errorf("corruption: %v", err)
	}
}

// TestFilesAfterAFault: after a failed write nothing more reaches the disk, and
// Pebble gets no error.
func TestFilesAfterAFault(t *testing.T) {
	m := memfs.New()
	noErr(t, m.Mkdir(dir, 0o750))
	s := newFiles(m, dir, false)
	f := must[vfs.File](t)(s.Create(dir+"/1.sst", ""))
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	if n, err := f.Write([]byte("x")); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	m.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			t.Errorf("%s %s", op.Kind, op.Name)
		}
		return nil
	})
	_, err := f.Write([]byte("y"))
	noErr(t, errors.Join(err, f.Sync(), f.Close(), s.Remove(dir+"/1.sst"), s.syncNames()))
	g := must[vfs.File](t)(s.Create(dir+"/3.sst", ""))
	_, err = g.Write([]byte("z"))
	noErr(t, errors.Join(err, g.Close()))
	if err := s.fault.err(); !errors.Is(err, errs.ErrNoSpace) || !strings.Contains(err.Error(), "1.sst") {
		t.Errorf("the fault: %v", err)
	}
}

// TestFilesShown: Pebble sees its markers, manifests and tables. It makes any other
// file in memory, and does not see others on the disk.
func TestFilesShown(t *testing.T) {
	m := memfs.New()
	noErr(t, m.Mkdir(dir, 0o750))
	s := newFiles(m, dir, false)
	f := must[vfs.File](t)(s.Create(dir+"/OPTIONS-000007", ""))
	_, err := f.Write([]byte("options"))
	noErr(t, errors.Join(err, f.Sync(), f.Close()))
	if b := must[[]byte](t)(io.ReadAll(must[vfs.File](t)(s.Open(dir + "/OPTIONS-000007")))); string(b) != "options" {
		t.Errorf("read %q", b)
	}
	if len(m.Dump()) != 1 {
		t.Errorf("on disk: %v", m.Dump())
	}
	w, err := m.Create(dir+"/000009.log", 0o600)
	noErr(t, err)
	noErr(t, w.Close())
	if l := must[[]string](t)(s.List(dir)); len(l) != 0 {
		t.Errorf("lists %v", l)
	}
	for _, err := range []error{second(s.Open(dir + "/000009.log")), second(s.Stat(dir + "/000009.log"))} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
	}
}

// TestFilesOrder: a reader writes nothing, no file is replaced, and a removal
// waits until a manifest of this process is durable.
func TestFilesOrder(t *testing.T) {
	m := memfs.New()
	noErr(t, m.Mkdir(dir, 0o750))
	ro := newFiles(m, dir, true)
	for name, err := range map[string]error{"create": second(ro.Create(dir+"/1.sst", "")), "remove": ro.Remove(dir + "/1.sst")} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := newFiles(m, dir, false)
	noErr(t, must[vfs.File](t)(s.Create(dir+"/1.sst", "")).Close())
	noErr(t, s.Remove(dir+"/1.sst"))
	if _, err := s.Stat(dir + "/1.sst"); err != nil {
		t.Errorf("removed before a manifest is durable: %v", err)
	}
	d := must[vfs.File](t)(s.OpenDir(dir))
	noErr(t, d.Sync())
	marker := must[vfs.File](t)(s.Create(dir+"/marker.manifest.000001.MANIFEST-000001", ""))
	noErr(t, errors.Join(marker.Close(), d.Sync(), d.Close()))
	if _, err := s.Stat(dir + "/1.sst"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := s.Create(dir+"/marker.manifest.000001.MANIFEST-000001", ""); err != nil || !errors.Is(s.fault.err(), fs.ErrExist) {
		t.Errorf("a file that exists was replaced: %v, %v", err, s.fault.err())
	}
}
