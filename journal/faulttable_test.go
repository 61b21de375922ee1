package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// logged is a disk that a crash left with n acknowledged records in a log,
// beside a history in tables.
func logged(t testing.TB, n int) (*memfs.FS, Tip) {
	t.Helper()
	m := newRoot(t)
	grown(t, m, 3)
	w, _, err := boot(m)
	noErr(t, err)
	for i := range n {
		_, err := w.Append(entry(100 + i))
		noErr(t, err)
	}
	tip := w.Tip()
	m.Ghost()
	noErr(t, w.Close())
	return m.Crash(memfs.Crash{Keep: memfs.None}), tip
}

// theFile finds the one file in journal/ that fits.
func theFile(t testing.TB, fsys durable.FS, fits func(string) bool) string {
	t.Helper()
	found := ""
	for _, f := range must[[]durable.Info](t)(fsys.ReadDir("journal")) {
		if fits(f.Name) {
			found = "journal/" + f.Name
		}
	}
	if found == "" {
		t.Fatal("no such file in journal/")
	}
	return found
}

func suffix(s string) func(string) bool {
	return func(n string) bool { return strings.HasSuffix(n, s) }
}

func prefix(s string) func(string) bool {
	return func(n string) bool { return strings.HasPrefix(n, s) }
}

func read(t testing.TB, fsys durable.FS, name string) []byte {
	t.Helper()
	b, _, err := durable.ReadFile(fsys, name, 64<<20)
	noErr(t, err)
	return b
}

func overwrite(t testing.TB, fsys durable.FS, name string, b []byte) {
	t.Helper()
	f := must[durable.File](t)(fsys.OpenWrite(name))
	noErr(t, f.Truncate(0))
	_, err := f.WriteAt(b, 0)
	noErr(t, err)
	noErr(t, f.Close())
}

// refuse sees that a boot ends in one of the kinds and leaves the disk alone.
func refuse(t testing.TB, m *memfs.FS, kinds ...error) {
	t.Helper()
	before := m.Dump()
	w, _, err := boot(m)
	if err == nil {
		t.Fatalf("the boot goes on, at %v: %v", w.Tip(), w.Close())
	}
	ok := false
	for _, k := range kinds {
		ok = ok || errors.Is(err, k)
	}
	if !ok {
		t.Fatalf("refused with %v", err)
	}
	after := m.Dump()
	for name, was := range before {
		if after[name] != was {
			t.Fatalf("%s was changed", name)
		}
	}
	if len(after) != len(before) {
		t.Fatal("files were added")
	}
}

// ambiguous: a flip that leaves nothing but zeros looks like a write that was
// cut short there. The head file tells them apart.
func ambiguous(rest []byte) bool { return padding(rest) }

func TestLogBitFlips(t *testing.T) {
	m, _ := logged(t, 20)
	name := theFile(t, m, suffix(".log"))
	good := read(t, m, name)
	num := uint32(0)
	for _, c := range []byte(strings.TrimSuffix(filepath.Base(name), ".log")) {
		num = num*10 + uint32(c-'0')
	}
	noErr(t, newStore(m, true).auditLog(name, num, true))

	// Every single bit of the first and the last records: the audit alone,
	// without help of the head file.
	bad := append([]byte(nil), good...)
	for i := range bad {
		if i > 1300 && i < len(bad)-1300 && i%logBlock != 0 {
			continue
		}
		for bit := range 8 {
			bad[i] ^= 1 << bit
			if ambiguous(bad[i:]) {
				bad[i] ^= 1 << bit
				continue
			}
			overwrite(t, m, name, bad)
			if err := newStore(m, true).auditLog(name, num, true); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("bit %d of byte %d of %d: %v", bit, i, len(bad), err)
			}
			bad[i] ^= 1 << bit
		}
	}
	// Some of them: a whole boot.
	for i := 0; i < len(bad); i += 97 {
		bad[i] ^= 0x10
		overwrite(t, m, name, bad)
		refuse(t, m, ErrCorrupt)
		bad[i] ^= 0x10
	}
	overwrite(t, m, name, good)
	w, _, err := boot(m)
	noErr(t, err)
	noErr(t, w.Close())
}

func TestLogCutShort(t *testing.T) {
	m, _ := logged(t, 4)
	name := theFile(t, m, suffix(".log"))
	good := read(t, m, name)
	for n := 0; n < len(good); n += 13 {
		overwrite(t, m, name, good[:n])
		refuse(t, m, ErrRolledBack, ErrCorrupt)
		// The same length, but the tail never reached the disk.
		torn := make([]byte, len(good))
		copy(torn, good[:n])
		overwrite(t, m, name, torn)
		refuse(t, m, ErrRolledBack, ErrCorrupt)
	}
	noErr(t, m.Remove(name))
	refuse(t, m, ErrRolledBack)
}

// TestTornAppend: what was not acknowledged may be cut off anywhere; the boot
// goes on.
func TestTornAppend(t *testing.T) {
	m, tip := logged(t, 2)
	name := theFile(t, m, suffix(".log"))
	good := read(t, m, name)
	w, _, err := boot(m.Clone())
	noErr(t, err)
	noErr(t, w.Close())

	// Take the second record's acknowledgement back: write the head file of
	// the first into both slots.
	v := must[*View](t)(OpenView(m, DefaultLayout()))
	one := must[Record](t)(v.Record(tip.Seq - 1))
	noErr(t, v.Close())
	noErr(t, ResetHead(m, DefaultLayout(), v.ID(), Tip{one.Seq, one.Hash}))
	for n := len(good)/2 + 8; n <= len(good); n += 11 {
		for _, zeros := range []int{0, len(good) - n, 4096} {
			d := m.Clone()
			overwrite(t, d, name, append(append([]byte(nil), good[:n]...), make([]byte, zeros)...))
			noErr(t, run(d, 1, func(Tip) {}))
			noErr(t, run(d, 1, func(Tip) {}))
		}
	}
}

func TestMarkersAndManifest(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 5)
	for _, fits := range []func(string) bool{prefix("marker.manifest."), prefix("marker.format-version.")} {
		d := m.Clone()
		noErr(t, d.Remove(theFile(t, d, fits)))
		refuse(t, d, ErrCorrupt)
	}
	d := m.Clone()
	name := theFile(t, d, prefix("MANIFEST-"))
	good := read(t, d, name)
	noErr(t, d.Remove(name))
	refuse(t, d, ErrCorrupt)

	for i := range good {
		for bit := range 8 {
			bad := append([]byte(nil), good...)
			bad[i] ^= 1 << bit
			if ambiguous(bad[i:]) {
				continue
			}
			overwrite(t, m, name, bad)
			if err := newStore(m, true).audit("journal"); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("bit %d of byte %d of the manifest: %v", bit, i, err)
			}
		}
	}
	overwrite(t, m, name, good)
	for n := 0; n < len(good); n += 5 {
		d := m.Clone()
		overwrite(t, d, name, good[:n])
		refuse(t, d, ErrCorrupt, ErrRolledBack)
	}
	d = m.Clone()
	marker := theFile(t, d, prefix("marker.format-version."))
	noErr(t, d.Rename(marker, marker[:len(marker)-3]+"999"))
	refuse(t, d, ErrNewer)
}

// TestTableBitFlips: a flipped bit in a table is found, or has no effect on a
// record; the process goes on in either case.
// What no gate wrote is damage, and is not read to its end.
func TestOddLogs(t *testing.T) {
	for name, plant := range map[string]func(m *memfs.FS) error{
		"a directory": func(m *memfs.FS) error { return m.Mkdir("journal/000099.log", 0o750) },
		"a FIFO":      func(m *memfs.FS) error { return m.PlantFIFO("journal/000099.log") },
		"too long": func(m *memfs.FS) error {
			f, err := m.Create("journal/000099.log", 0o640)
			if err != nil {
				return err
			}
			return errors.Join(f.Truncate(maxLog+1), f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRoot(t)
			grown(t, m, 3)
			noErr(t, plant(m))
			if _, err := OpenView(m, DefaultLayout()); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "000099.log") {
				t.Errorf("%v", err)
			}
			kept := 0
			found, err := Salvage(m, DefaultLayout(), func(Record) error { kept++; return nil })
			if err != nil || kept != 3 || !errors.Is(found.Broken, ErrCorrupt) {
				t.Errorf("%d records, %v, %v", kept, found.Broken, err)
			}
		})
	}
}

func TestTableBitFlips(t *testing.T) {
	m := newRoot(t)
	want := grown(t, m, 3)
	name := theFile(t, m, suffix(".sst"))
	good := read(t, m, name)
	found := 0
	for i := range good {
		d := m.Clone()
		bad := append([]byte(nil), good...)
		bad[i] ^= 1 << (i % 8)
		overwrite(t, d, name, bad)
		v, err := OpenView(d, DefaultLayout())
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("byte %d: %v", i, err)
			}
			found++
			continue
		}
		rep := must[Report](t)(Verify(context.Background(), v.Source(), VerifyOptions{}))
		if !rep.OK {
			found++
		} else if rep.Head.Hash != want[len(want)-1].Hash {
			t.Fatalf("byte %d: another history, without a finding", i)
		}
		noErr(t, v.Close())
	}
	if found < len(good)/2 {
		t.Errorf("only %d of %d flips were found", found, len(good))
	}
}

// TestReadingChangesNothing: bytes, modes and times stay, with a log to
// replay, on a disk that is written to by nobody and on one mounted read-only.
func TestReadingChangesNothing(t *testing.T) {
	m, tip := logged(t, 3)
	m.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			t.Errorf("reading does %+v", op)
		}
		return nil
	})
	v := must[*View](t)(OpenLiveView(m, DefaultLayout()))
	rep := must[Report](t)(Verify(context.Background(), v.Source(), VerifyOptions{}))
	if !rep.OK || rep.Head != tip {
		t.Errorf("report %+v", rep)
	}
	noErr(t, v.Close())

	dir := t.TempDir()
	r := must[*durable.Root](t)(durable.OpenRoot(dir))
	noErr(t, r.Mkdir("bootstrap", 0o750))
	grown(t, r, 3)
	noErr(t, r.Close())
	stamp := func() string {
		var sb strings.Builder
		noErr(t, filepath.Walk(dir, func(p string, i os.FileInfo, err error) error {
			sb.WriteString(p + i.Mode().String() + i.ModTime().String() + "\n")
			return err
		}))
		return sb.String()
	}
	before := stamp()
	ro := must[*durable.Root](t)(durable.OpenRootReadOnly(dir))
	v = must[*View](t)(OpenView(ro, DefaultLayout()))
	noErr(t, v.VerifyTail(10))
	noErr(t, v.Close())
	noErr(t, ro.Close())
	bare := must[*durable.Root](t)(durable.OpenRootReadOnly(filepath.Join(dir, "journal")))
	v = must[*View](t)(OpenView(bare, Layout{Dir: "."}))
	noErr(t, v.VerifyTail(10))
	if act, err := v.CheckHead(nil); err != nil || act.Step != HeadNone {
		t.Errorf("bare directory: %v, %v", act, err)
	}
	noErr(t, v.Close())
	noErr(t, bare.Close())
	if stamp() != before {
		t.Error("reading changed names, modes or times")
	}
	ro = must[*durable.Root](t)(durable.OpenRootReadOnly(dir))
	defer ro.Close()
	if _, _, err := boot(ro); err == nil {
		w, _, _ := boot(ro)
		if _, err := w.Append(entry(9)); !errors.Is(err, ErrIO) {
			t.Errorf("append on a read-only root: %v", err)
		}
	} else if !errors.Is(err, ErrIO) {
		t.Errorf("open for appending on a read-only root: %v", err)
	}
}

// TestReaderKeepsItsTables: a reader goes on while the gate compacts the
// tables away under it.
func TestReaderKeepsItsTables(t *testing.T) {
	m := newRoot(t)
	want := grown(t, m, 8)
	v := must[*View](t)(OpenLiveView(m, DefaultLayout()))
	defer v.Close()
	grow(t, m, 2*maxL0)
	n := 0
	for rec, err := range v.Records(1, 1<<40) {
		noErr(t, err)
		if rec.Hash != want[n].Hash {
			t.Fatalf("record %d differs", rec.Seq)
		}
		n++
	}
	if n != len(want) {
		t.Errorf("read %d records of %d", n, len(want))
	}
}

func TestThousandsOfBoots(t *testing.T) {
	boots := 3000
	if testing.Short() {
		boots = 300
	}
	m := newRoot(t)
	for i := range boots {
		noErr(t, run(m, 1, func(Tip) {}))
		files := must[[]durable.Info](t)(m.ReadDir("journal"))
		if len(files) > 24 {
			t.Fatalf("after %d boots there are %d files", i+1, len(files))
		}
	}
	v := must[*View](t)(OpenView(m, DefaultLayout()))
	defer v.Close()
	var raw, disk int64
	for r, err := range v.RawRecords(1, 1<<40) {
		noErr(t, err)
		raw += int64(len(r.Raw))
	}
	for _, f := range must[[]durable.Info](t)(m.ReadDir("journal")) {
		disk += f.Size
	}
	if disk > raw*3/2+4<<20 {
		t.Errorf("%d bytes of records take %d", raw, disk)
	}
	t.Logf("%d boots: %d bytes of records, %d on disk", boots, raw, disk)
}
