package operation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/stateroot"
)

// TestAnotherFileUnderTheName: before each operation in turn somebody renames another file
// over the temporary one, or over the destination. The name leads to the file that Apply
// reports.
func TestAnotherFileUnderTheName(t *testing.T) {
	for _, old := range []string{"", "old bytes", "new bytes"} {
		for _, over := range []string{"bin/" + tempName, "bin/app"} {
			refused := 0
			for n := 1; ; n++ {
				m := newDisk(t)
				put(t, m, "evil", "evil code", 0o755) // as long as the source
				if old != "" {
					put(t, m, "bin/app", old, 0o755)
				}
				start, last := m.Ops(), memfs.OpKind("")
				m.SetHook(func(op memfs.Op) error {
					if op.N != start+n {
						return nil
					}
					last = op.Kind
					m.SetHook(nil)
					if _, err := m.Lstat(over); err == nil { // otherwise the gate has not made it
						return m.Rename("evil", over)
					}
					return nil
				})
				_, err := Apply(m, copyApp())
				m.SetHook(nil)
				if last == "" {
					break
				}
				got := text(m, "bin/app")
				if err == nil && got != "new bytes" && last != memfs.OpClose {
					t.Errorf("%q, %s exchanged before operation %d (%s): said to be installed, but is %q", old, over, n, last, got)
				}
				if errors.Is(err, ErrExchanged) {
					refused++
					var e *Error
					if !errors.As(err, &e) || e.Path != "bin/app" || !strings.Contains(e.NextStep(), "what else writes") {
						t.Errorf("got %v, next %q", err, e.NextStep())
					}
				}
			}
			if refused == 0 && (old != "new bytes" || over == "bin/app") {
				t.Errorf("%q, %s: never refused", old, over)
			}
		}
	}
}

// TestExchangedWhileWritten: the destination keeps its bytes if the temporary
// file is exchanged before it is published.
func TestExchangedWhileWritten(t *testing.T) {
	m := newDisk(t)
	put(t, m, "evil", "evil code", 0o755)
	put(t, m, "bin/app", "old bytes", 0o755)
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpWrite {
			m.SetHook(nil)
			return m.Rename("evil", "bin/"+tempName)
		}
		return nil
	})
	if _, err := Apply(m, copyApp()); !errors.Is(err, ErrExchanged) || text(m, "bin/app") != "old bytes" {
		t.Errorf("%v, installed is %q", err, text(m, "bin/app"))
	}
	if _, err := m.Lstat("bin/" + tempName); err == nil {
		t.Error("the other file is left beside the destination")
	}
}

// TestSecondNameWhileWritten: through a second name the file could be changed
// after it was verified.
func TestSecondNameWhileWritten(t *testing.T) {
	m := newDisk(t)
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRename {
			m.SetHook(nil)
			return m.PlantHardlink("bin/"+tempName, "second")
		}
		return nil
	})
	if _, err := Apply(m, copyApp()); !errors.Is(err, ErrExchanged) {
		t.Error(err)
	}
}

// setCapabilities gives a file CAP_NET_BIND_SERVICE, as setcap(8) does.
func setCapabilities(t *testing.T, path string) {
	t.Helper()
	const revision2, netBind = "\x01\x00\x00\x02", "\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	if err := unix.Setxattr(path, "security.capability", []byte(revision2+netBind), 0); err != nil {
		t.Skip("file capabilities cannot be set here: ", err)
	}
}

// TestCapabilities: a source that has them is refused, and an installed file that
// has them is not in place.
func TestCapabilities(t *testing.T) {
	root, dir := newLinux(t)
	m := manifestOf(binaryOp("app", "bin/app"))
	_, err := Apply(root, copyApp())
	check(t, err)

	setCapabilities(t, filepath.Join(dir, "bin/app"))
	if ok, err := InPlace(root, "bin/app", sumOf("new bytes"), "0755", 9); ok || err != nil {
		t.Error("as installed, with capabilities:", ok, err)
	}
	if res, err := Rehearse(root, copyApp()); err != nil || res.AlreadyInPlace {
		t.Errorf("rehearsed: %+v, %v", res, err)
	}
	if res, err := Apply(root, copyApp()); err != nil || res.AlreadyInPlace {
		t.Errorf("applied: %+v, %v", res, err)
	}
	if ok, err := InPlace(root, "bin/app", sumOf("new bytes"), "0755", 9); !ok || err != nil {
		t.Error("installed again:", ok, err)
	}

	setCapabilities(t, filepath.Join(dir, "runtime/binaries/app"))
	_, planErr := Plan(root, dir, m)
	_, applyErr := Apply(root, copyApp())
	for _, err := range []error{planErr, applyErr} {
		if !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "file capabilities") {
			t.Errorf("a source with capabilities: %v", err)
		}
	}
}

// unread fails a test if a file is read.
func unread(t *testing.T, m *memfs.FS) {
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpRead {
			t.Errorf("%s was read", op.Name)
			return syscall.EIO
		}
		return nil
	})
}

// TestLongerThanItsFilesystem: a file with holes can be longer than the disk. It is refused
// before a byte is read, wherever it would be hashed.
func TestLongerThanItsFilesystem(t *testing.T) {
	for _, name := range []string{"runtime/binaries/app", "runtime/binaries/edged", stateroot.NodeConfig} {
		m := newDisk(t)
		put(t, m, "runtime/binaries/edged", "x", 0o755)
		m.SetCapacity(1 << 20)
		f, err := m.OpenWrite(name)
		check(t, err, f.Truncate(1<<20+1), f.Close())
		unread(t, m)
		_, planErr := Plan(m, "/persist/edge", manifestOf(binaryOp("app", "bin/app")))
		_, _, hashErr := HashFile(m, name)
		for step, err := range map[string]error{"plan": planErr, "hash": hashErr} {
			if !errors.Is(err, ErrSource) || !strings.Contains(fmt.Sprint(err), "1048577 bytes long") {
				t.Errorf("%s of %s: %v", step, name, err)
			}
		}
		if name == "runtime/binaries/app" {
			for step, f := range map[string]func(durable.FS, Planned) (Result, error){"apply": Apply, "rehearse": Rehearse} {
				if _, err := f(m, copyApp()); !errors.Is(err, ErrSource) {
					t.Errorf("%s: %v", step, err)
				}
			}
		}
	}
}

// TestLongerThanWhatIsFree: a rehearsal refuses at once a file for which Apply has no space.
func TestLongerThanWhatIsFree(t *testing.T) {
	m := newDisk(t)
	m.SetCapacity(4 << 20)
	put(t, m, "ballast", strings.Repeat("x", 3<<20), 0o600)
	f, err := m.OpenWrite("runtime/binaries/app")
	check(t, err, f.Truncate(2<<20), f.Close())
	unread(t, m)
	for step, f := range map[string]func(durable.FS, Planned) (Result, error){"apply": Apply, "rehearse": Rehearse} {
		var e *Error
		if _, err := f(m, copyApp()); !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &e) || !strings.Contains(e.NextStep(), "free space") {
			t.Errorf("%s: %v", step, err)
		}
	}
}

// TestSparseHere: the same on a real filesystem, with a file of up to 8 EiB.
func TestSparseHere(t *testing.T) {
	root, dir := newLinux(t)
	var err error
	for _, size := range []int64{1<<63 - 1, 1 << 60, 1 << 50, 15 << 40} {
		if err = os.Truncate(filepath.Join(dir, "runtime/binaries/app"), size); err == nil {
			break
		}
	}
	if err != nil {
		t.Skip("no file is long enough here: ", err)
	}
	if _, err := Plan(root, dir, manifestOf(binaryOp("app", "bin/app"))); !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "bytes long") {
		t.Error(err)
	}
}
