package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

func TestAppendBatch(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 1)
	w, _, err := boot(m)
	noErr(t, err)
	recs := must[[]Record](t)(w.AppendBatch([]Entry{entry(2), entry(3), entry(4)}))
	if len(recs) != 3 || recs[2].Prev != recs[1].Hash || w.Tip() != (Tip{4, recs[2].Hash}) {
		t.Errorf("appended %+v", recs)
	}
	// What cannot become a record leaves the writer as it was.
	big := entry(5)
	big.Data = fmt.Appendf(nil, `{"a":%q}`, strings.Repeat("x", MaxRecord))
	if _, err := w.AppendBatch([]Entry{entry(5), big}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	rec := must[Record](t)(w.Append(entry(5)))
	if rec.Seq != 5 || rec.Prev != recs[2].Hash {
		t.Errorf("after a refusal: %+v", rec)
	}
	if got := must[Record](t)(w.Record(5)); got.Hash != rec.Hash {
		t.Error("reads another record than it wrote")
	}
	for _, seq := range []uint64{0, 6} {
		if _, err := w.Record(seq); !errors.Is(err, ErrNotFound) {
			t.Errorf("record %d: %v", seq, err)
		}
	}
	if _, err := w.AppendBatch(nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("append nothing: %v", err)
	}
	noErr(t, w.Close())
	noErr(t, w.Close())
	if _, err := w.Append(entry(6)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
}

// TestFullMemtable appends more than a memtable holds: logs rotate, and
// removed files go once the new manifest stands.
func TestFullMemtable(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 1)
	w, _, err := boot(m)
	noErr(t, err)
	e := entry(2)
	e.Data = fmt.Appendf(nil, `{"a":%q}`, strings.Repeat("x", 60000))
	for range 60 {
		_, err := w.Append(e)
		noErr(t, err)
	}
	killed := m.Crash(memfs.Crash{Keep: memfs.None})
	noErr(t, w.Close())
	for _, d := range []*memfs.FS{killed, m} {
		v := must[*View](t)(OpenView(d, DefaultLayout()))
		if v.Tip().Seq != 61 {
			t.Errorf("tip %v", v.Tip())
		}
		noErr(t, v.VerifyTail(1<<40))
		noErr(t, v.Close())
		noErr(t, run(d, 1, func(Tip) {}))
	}
}

// TestNothingAppended: a journal that was opened for appending and closed
// again is as it was.
func TestNothingAppended(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 4)
	before := m.Dump()
	w, _, err := boot(m)
	noErr(t, err)
	noErr(t, w.Close())
	after := m.Dump()
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s: %s, was %s", name, after[name], was)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, there were %d", len(after), len(before))
	}
}

// TestPoisoned: after a fault every call returns it, and the disk stays as it
// was at the fault. After space was freed, opening again goes on.
func TestPoisoned(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 3)
	w, _, err := boot(m)
	noErr(t, err)
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	_, err = w.Append(entry(4))
	if !errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	m.SetHook(nil)
	if _, again := w.Append(entry(4)); !errors.Is(again, ErrNoSpace) {
		t.Errorf("append again: %v", again)
	}
	if err := w.SaveSnapshot(1, nil); !errors.Is(err, ErrNoSpace) {
		t.Errorf("snapshot: %v", err)
	}
	if err := w.Close(); !errors.Is(err, ErrNoSpace) {
		t.Errorf("close: %v", err)
	}
	if err := w.Close(); !errors.Is(err, ErrNoSpace) {
		t.Errorf("close again: %v", err)
	}
	w, _, err = boot(m)
	noErr(t, err)
	rec := must[Record](t)(w.Append(entry(4)))
	if rec.Seq != 4 {
		t.Errorf("goes on at %d", rec.Seq)
	}
	noErr(t, w.Close())
}

// TestChangedMeanwhile: a writer goes on from what was checked, or not at all.
func TestChangedMeanwhile(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 3)
	v := must[*View](t)(OpenView(m, DefaultLayout()))
	act, err := v.CheckHead(nil)
	noErr(t, err)
	again := must[*View](t)(OpenView(m, DefaultLayout()))
	grow(t, m, 1)
	damageSlot(t, m, 0)
	damageSlot(t, m, 1)
	third := must[*View](t)(OpenView(m, DefaultLayout()))
	for _, v := range []*View{again, third} {
		if w, err := OpenWriter(m, DefaultLayout(), v, HeadAction{}); err == nil {
			t.Errorf("goes on from what was not checked: %v", w.Close())
		}
	}
	noErr(t, m.Remove("bootstrap/journal_head"))
	if _, err := OpenWriter(m, DefaultLayout(), v, act); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	noErr(t, run(m, 1, func(Tip) {}))
}

// TestStuckEngine: Pebble's last resort must not end the process, nor must a
// panic or an endless retry.
func TestStuckEngine(t *testing.T) {
	cause := errors.New("cause")
	for name, fn := range map[string]func(f *fault) error{
		"fatal":      func(f *fault) error { f.Fatalf("%w", cause); return nil },
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
		if !errors.Is(err, ErrIO) || !strings.Contains(err.Error(), "cause") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	err := &Error{Kind: ErrRolledBack, Path: "p", Seq: 7, Detail: "check it", Next: "do that", Err: fs.ErrClosed}
	if got := err.Error(); got != "journal: check it: rolled back, at p, record 7: file already closed; do that" {
		t.Error(got)
	}
	if got := (&Error{Kind: ErrTorn}).Error(); got != "journal: torn" {
		t.Error(got)
	}
	for cause, kind := range map[error]error{syscall.ENOSPC: ErrNoSpace, syscall.EDQUOT: ErrNoSpace, syscall.EIO: ErrIO, syscall.EROFS: ErrIO,
		pebble.ErrCorruption: ErrCorrupt} {
		if err := ioError("x", "y", fmt.Errorf("z: %w", cause)); !errors.Is(err, kind) || !errors.Is(err, cause) {
			t.Errorf("%v: %v", cause, err)
		}
	}
	for kind, code := range map[error]string{ErrNewer: CodeNewer, ErrForeign: CodeWrongJournal, ErrTooLarge: CodeOversized,
		ErrMissing: CodeHeadMismatch, ErrTorn: CodeTornTail, ErrIO: CodeIO, ErrCorrupt: CodeStorage} {
		if f := FindingOf(&Error{Kind: kind, Seq: 3}); f.Code != code || f.Seq != 3 || f.Severity != SeverityError {
			t.Errorf("%v: %+v", kind, f)
		}
	}
	if placed(fs.ErrClosed, "p", 1) != fs.ErrClosed {
		t.Error("an error of another kind was changed")
	}
}

// TestStoreRefuses: what Pebble does not use here fails; nothing is silently
// different.
func TestStoreRefuses(t *testing.T) {
	s := newStore(memfs.New(), false)
	if err := s.Link("a", "b"); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := s.RemoveAll("a"); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := s.OpenReadWrite("a", ""); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := s.GetDiskUsage("."); err == nil {
		t.Error("disk usage")
	}
	ro := newStore(memfs.New(), true)
	for name, err := range map[string]error{
		"create": second(ro.Create("a", "")), "remove": ro.Remove("a"), "rename": ro.Rename("a", "b"),
		"mkdir": ro.MkdirAll("d", 0o755), "log": second(ro.Create("1.log", "")),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := must[vfs.File](t)(s.Create("f", ""))
	if _, err := f.WriteAt(nil, 0); err == nil {
		t.Error("write at")
	}
	noErr(t, f.Preallocate(0, 1))
	noErr(t, f.Sync())
	_, err := f.Write([]byte("x"))
	noErr(t, err)
	noErr(t, f.Sync())
	if i, err := f.Stat(); err != nil || i.Size() != 1 || i.IsDir() || i.Name() != "f" || i.Sys() != nil || i.Mode().Perm() != fileMode || i.ModTime().IsZero() {
		t.Errorf("%+v, %v", i, err)
	}
	noErr(t, f.Close())
	noErr(t, s.Rename("f", "g"))
	g := must[vfs.File](t)(s.ReuseForWrite("g", "h", ""))
	noErr(t, g.Close())
	if _, err := s.Stat("g"); err != nil {
		t.Errorf("removed before a manifest stands: %v", err)
	}
	// A name that is to be removed, and is made anew, stays.
	g = must[vfs.File](t)(s.Create("g", ""))
	noErr(t, g.Close())
	if len(s.later) != 0 {
		t.Errorf("still to be removed: %v", s.later)
	}
}

func second[T any](_ T, err error) error { return err }

// TestLogFile: a log comes into being with its first byte.
func TestLogFile(t *testing.T) {
	m := memfs.New()
	s := newStore(m, false)
	f := must[vfs.File](t)(s.Create("1.log", ""))
	if i, err := f.Stat(); err != nil || i.Size() != 0 {
		t.Errorf("%v, %v", i, err)
	}
	noErr(t, f.Sync())
	noErr(t, f.Close())
	if l := must[[]string](t)(s.List(".")); len(l) != 0 {
		t.Errorf("made %v", l)
	}
	_, err := f.Write([]byte("x"))
	noErr(t, err)
	noErr(t, f.Sync())
	if i, err := f.Stat(); err != nil || i.Size() != 1 {
		t.Errorf("%v, %v", i, err)
	}
	noErr(t, f.Close())
	if b := read(t, m.Crash(memfs.Crash{Keep: memfs.None}), "1.log"); string(b) != "x" {
		t.Errorf("a crash leaves %q", b)
	}
	if err := s.auditLog("1.log", 1, true); err != nil || s.torn != "1.log" {
		t.Errorf("audit of half a header: %v, torn %q", err, s.torn)
	}
	noErr(t, durable.WriteFile(m, "d", nil, 0o600))
}

func FuzzAuditLog(f *testing.F) {
	m, _ := logged(f, 2)
	f.Add(read(f, m, theFile(f, m, suffix(".log"))), true)
	f.Add(read(f, m, theFile(f, m, prefix("MANIFEST-"))), false)
	f.Add(make([]byte, 40), true)
	f.Fuzz(func(t *testing.T, b []byte, numbered bool) {
		m := memfs.New()
		noErr(t, durable.WriteFile(m, "log", b, 0o600))
		err := newStore(m, true).auditLog("log", 7, numbered)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
