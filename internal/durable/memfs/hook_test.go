package memfs_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestHookSeesEveryOperation(t *testing.T) {
	m := memfs.New()
	var seen []memfs.Op
	m.SetHook(func(op memfs.Op) error { seen = append(seen, op); return nil })
	f, err := m.Create("f", 0o600)
	must(t, err)
	_, err = f.Write([]byte("four"))
	must(t, err)
	_, err = f.WriteAt([]byte("x"), 9)
	must(t, err, f.Truncate(2), f.Preallocate(0, 9), f.Chmod(0o640), f.Datasync(), f.Sync())
	_, err = f.ReadAt(make([]byte, 3), 0)
	must(t, err)
	_, err = f.Stat()
	must(t, err, f.Close(), m.Mkdir("d", 0o700), m.Rename("f", "d/f"), m.SyncDir("d"))
	_, err = m.Lstat("d/f")
	must(t, err)
	_, err = m.ReadDir("d")
	must(t, err)
	_, err = m.Open("d/f")
	must(t, err)
	_, err = m.OpenWrite("d/f")
	must(t, err, m.Remove("d/f"))
	if err := m.Remove("../outside"); !errors.Is(err, durable.ErrName) {
		t.Error(err) // refused before the disk is touched: no operation
	}
	want := []memfs.Op{
		{1, memfs.OpCreate, "f", "", true, 0}, {2, memfs.OpWrite, "f", "", true, 4}, {3, memfs.OpWrite, "f", "", true, 1},
		{4, memfs.OpTruncate, "f", "", true, 0}, {5, memfs.OpPreallocate, "f", "", true, 0}, {6, memfs.OpChmod, "f", "", true, 0},
		{7, memfs.OpDatasync, "f", "", true, 0}, {8, memfs.OpSync, "f", "", true, 0}, {9, memfs.OpRead, "f", "", false, 3},
		{10, memfs.OpStat, "f", "", false, 0}, {11, memfs.OpClose, "f", "", false, 0}, {12, memfs.OpMkdir, "d", "", true, 0},
		{13, memfs.OpRename, "f", "d/f", true, 0}, {14, memfs.OpSyncDir, "d", "", true, 0}, {15, memfs.OpLstat, "d/f", "", false, 0},
		{16, memfs.OpReadDir, "d", "", false, 0}, {17, memfs.OpOpen, "d/f", "", false, 0}, {18, memfs.OpOpenWrite, "d/f", "", false, 0},
		{19, memfs.OpRemove, "d/f", "", true, 0},
	}
	if !slices.Equal(seen, want) || m.Ops() != len(want) {
		t.Errorf("saw %+v", seen)
	}
}

// everything tries each operation once and returns the errors.
func everything(m *memfs.FS, f durable.File) map[string]error {
	b := make([]byte, 1)
	_, create := m.Create("new", 0o600)
	_, open := m.Open("f")
	_, openWrite := m.OpenWrite("f")
	_, lstat := m.Lstat("f")
	_, readDir := m.ReadDir(".")
	_, read := f.Read(b)
	_, readAt := f.ReadAt(b, 0)
	_, wrote := f.Write(b)
	_, wroteAt := f.WriteAt(b, 0)
	_, stat := f.Stat()
	return map[string]error{
		"create": create, "open": open, "openwrite": openWrite, "lstat": lstat, "readdir": readDir,
		"read": read, "readat": readAt, "write": wrote, "writeat": wroteAt, "stat": stat,
		"mkdir": m.Mkdir("d", 0o700), "rename": m.Rename("f", "g"), "remove": m.Remove("f"), "syncdir": m.SyncDir("."),
		"truncate": f.Truncate(1), "preallocate": f.Preallocate(0, 1), "chmod": f.Chmod(0o600), "chown": f.Chown(1, 1),
		"sync": f.Sync(), "datasync": f.Datasync(), "close": f.Close(),
	}
}

func TestHookErrorsAndDeath(t *testing.T) {
	for _, want := range []error{syscall.EIO, memfs.ErrDead} {
		m := memfs.New()
		must(t, durable.WriteFile(m, "f", []byte("text"), 0o600))
		f, err := m.OpenWrite("f")
		must(t, err)
		before := m.Dump()
		if want == memfs.ErrDead {
			m.Kill()
		}
		m.SetHook(func(memfs.Op) error { return want })
		for op, err := range everything(m, f) {
			var pathErr *fs.PathError
			var linkErr *os.LinkError
			if !errors.Is(err, want) || !errors.As(err, &pathErr) && !errors.As(err, &linkErr) {
				t.Errorf("%s: %v, want %v with the path", op, err, want)
			}
		}
		if got := m.Dump(); got["f"] != before["f"] || len(got) != 1 {
			t.Error("a refused operation happened:", got)
		}
		if got := none(m); text(got, "f") != "text" {
			t.Error("the disk after death:", got.Dump())
		}
	}
}

func TestKillInsideTheHook(t *testing.T) {
	m := memfs.New()
	m.SetHook(func(op memfs.Op) error { m.Kill(); return nil })
	if err := m.Mkdir("d", 0o700); !errors.Is(err, memfs.ErrDead) {
		t.Error(err)
	}
	if len(m.Dump()) != 0 || m.Ops() != 1 {
		t.Error(m.Dump(), m.Ops())
	}
}

func TestGhost(t *testing.T) {
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte("on disk"), 0o600))
	f := put(t, m, "unflushed", "x")
	m.Ghost()
	must(t, durable.WriteFile(m, "f", []byte("imagined"), 0o600), f.Sync(), m.SyncDir("."), m.Mkdir("d", 0o700))
	m.Ghost() // the first call counts
	if text(m, "f") != "imagined" {
		t.Error("operations do not succeed:", text(m, "f"))
	}
	disk := none(m)
	if len(disk.Dump()) != 1 || text(disk, "f") != "on disk" {
		t.Error(disk.Dump())
	}
	if all := m.Crash(memfs.Crash{Keep: memfs.All}); text(all, "unflushed") != "x" || len(all.Dump()) != 2 {
		t.Error(all.Dump())
	}
}

func TestShortWrite(t *testing.T) {
	m := memfs.New()
	f := put(t, m, "f", "ab")
	k := 0
	m.SetHook(func(op memfs.Op) error { return &memfs.ShortWrite{N: k, Err: syscall.ENOSPC} })
	for _, test := range []struct {
		k, want int
	}{{0, 0}, {2, 2}, {9, 3}} {
		k = test.k
		if n, err := f.Write([]byte("123")); n != test.want || !errors.Is(err, syscall.ENOSPC) || err.Error() != "write f: no space left on device" {
			t.Error(n, err)
		}
	}
	if err := f.Truncate(0); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	m.SetHook(nil)
	if got := text(m, "f"); got != "ab12123" {
		t.Error(got)
	}
	must(t, f.Close())
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpWrite {
			return &memfs.ShortWrite{N: 1, Err: syscall.EIO}
		}
		return nil
	})
	if n, err := f.Write([]byte("1")); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Error(n, err)
	}
}

func TestAfter(t *testing.T) {
	m := memfs.New()
	must(t, durable.WriteFile(m, "f", []byte("x"), 0o600))
	f, err := m.OpenWrite("f")
	must(t, err)
	m.SetHook(func(memfs.Op) error { return &memfs.After{Err: syscall.EIO} })
	if _, err := m.Create("new", 0o600); err == nil || err.Error() != "create new: input/output error" {
		t.Error(err)
	}
	if _, err := m.Open("f"); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if err := m.Rename("f", "g"); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if n, err := f.Write([]byte("yy")); n != 2 || !errors.Is(err, syscall.EIO) {
		t.Error(n, err)
	}
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if err := m.SyncDir("."); !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	m.SetHook(nil)
	if disk := none(m); text(disk, "g") != "yy" || text(disk, "new") != "" || len(disk.Dump()) != 2 {
		t.Error("not all took effect:", disk.Dump())
	}
}

func TestCapacity(t *testing.T) {
	const block = 4096
	m := memfs.New()
	m.SetCapacity(3*block + 1)
	f := put(t, m, "f", "")
	if n, err := f.Write(make([]byte, 4*block)); n != 3*block || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	if n, err := f.Write([]byte("x")); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(n, err)
	}
	if n, err := f.WriteAt(make([]byte, block), 0); n != block || err != nil {
		t.Fatal("overwriting needs no space:", n, err)
	}
	must(t, f.Truncate(block+1))
	if m.Used() != 2*block {
		t.Fatal(m.Used())
	}
	ballast := put(t, m, "ballast", "")
	if err := ballast.Preallocate(0, 2*block); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, ballast.Truncate(0), ballast.Preallocate(0, block), f.Truncate(100*block)) // a hole takes nothing
	if _, err := f.WriteAt([]byte("x"), 50*block); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	must(t, f.Sync(), ballast.Sync(), m.SyncDir("."))
	if disk := none(m); disk.Used() != m.Used() || disk.Used() != 3*block {
		t.Fatal("the crashed disk counts otherwise:", disk.Used(), m.Used())
	}
	must(t, ballast.Close(), m.Remove("ballast"))
	if _, err := f.WriteAt([]byte("x"), 50*block); err != nil {
		t.Fatal("released space is not there:", err)
	}
	must(t, durable.RemoveAll(m, "f"), f.Close())
	if m.Used() != 0 {
		t.Fatal(m.Used())
	}
}

func TestPlantedIsRefused(t *testing.T) {
	m := memfs.New()
	must(t, m.Mkdir("d", 0o755), m.PlantFIFO("fifo"), m.PlantDevice("d/dev"), m.PlantSymlink("link", "d"))
	for name, want := range map[string]error{
		"fifo": durable.ErrNotRegular, "d/dev": durable.ErrNotRegular, "d": durable.ErrNotRegular, ".": durable.ErrNotRegular,
		"link": durable.ErrSymlink, "link/dev": durable.ErrSymlink, "fifo/x": syscall.ENOTDIR,
	} {
		for _, open := range []func(string) (durable.File, error){m.Open, m.OpenWrite} {
			if _, err := open(name); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
	if _, err := m.ReadDir("link"); !errors.Is(err, durable.ErrSymlink) {
		t.Error(err)
	}
	if err := m.SyncDir("fifo"); !errors.Is(err, syscall.ENOTDIR) {
		t.Error(err)
	}
	tree, err := memfs.Tree(m)
	if err != nil || tree["fifo"] != m.Dump()["fifo"] || tree["link"] != "Lrwxrwxrwx" || tree["d/dev"] != "Dcrw-r--r--" {
		t.Error(tree, err)
	}
	must(t, m.SyncDir(".")) // "d" was not durable when something was planted in it
	if got := none(m).Dump(); len(got) != 4 {
		t.Error("planted things are durable:", got)
	}
	for what, err := range map[string]error{
		"over a name":      m.PlantFIFO("d"),
		"link over a name": m.PlantHardlink("fifo", "d"),
	} {
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := m.PlantHardlink("d", "e"); !errors.Is(err, syscall.EPERM) {
		t.Error(err)
	}
	if err := m.PlantHardlink("absent", "e"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, err := range []error{m.PlantFIFO("../x"), m.PlantHardlink("../x", "y"), m.PlantHardlink("fifo", "/y"), m.Rename("fifo", "../y"), m.Rename("", "y")} {
		if !errors.Is(err, durable.ErrName) {
			t.Error(err)
		}
	}
}

func TestTreeReportsFaults(t *testing.T) {
	m := memfs.New()
	must(t, durable.MkdirAll(m, "d", 0o700), durable.WriteFile(m, "d/f", []byte("x"), 0o600))
	for _, kind := range []memfs.OpKind{memfs.OpReadDir, memfs.OpOpen, memfs.OpRead} {
		m.SetHook(func(op memfs.Op) error {
			if op.Kind == kind && op.Name != "." {
				return syscall.EIO
			}
			return nil
		})
		if _, err := memfs.Tree(m); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestSizesBeyondTheModel(t *testing.T) {
	m := memfs.New()
	f := put(t, m, "f", "")
	_, err := f.WriteAt([]byte("x"), math.MaxInt64)
	for _, err := range []error{err, f.Truncate(math.MaxInt64), f.Preallocate(math.MaxInt64, 1)} {
		if !errors.Is(err, syscall.EFBIG) {
			t.Error(err)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	m := memfs.New()
	m.SetHook(func(memfs.Op) error { return nil })
	var wg sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			for range 50 {
				if err := durable.WriteFile(m, name, []byte(name), 0o600); err != nil {
					t.Error(err)
				}
				if disk := m.Crash(memfs.Crash{}); text(disk, name) != name {
					t.Error("lost", name)
				}
			}
		})
	}
	wg.Wait()
}
