package journal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

func TestSlotBytes(t *testing.T) {
	id := uuid.MustParse(testJournal)
	tip := record.Tip{Seq: 0x0102030405060708, Hash: record.HashOf([]byte("x"))}
	b := encodeSlot(id, tip, 1)
	want := hex.EncodeToString([]byte("EDGEHEAD")) + "00000001" + "00000000" + strings.ReplaceAll(testJournal, "-", "") +
		"0102030405060708" + tip.Hash.String()
	if got := hex.EncodeToString(b[:72]); got != want || len(b) != 4096 || bytes.Count(b[72:4064], []byte{0}) != 3992 {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if sum := record.HashOf(append(bytes.Clone(b[:4064]), 0, 0, 0, 0, 0, 0, 0, 1)); !bytes.Equal(sum[:], b[4064:]) {
		t.Error("checksum")
	}
	if s := parseSlot(b, 1); s != (Slot{SlotGood, testJournal, tip}) {
		t.Errorf("read as %+v", s)
	}
	if s := parseSlot(b, 0); s.State != SlotBad {
		t.Errorf("slot 1 in the place of slot 0 is %+v", s)
	}
}

// editBlock changes a block of a file and sets its checksum to match.
func editBlock(t testing.TB, m *memfs.FS, name string, number int, change func(b []byte)) {
	t.Helper()
	whole := read(t, m, name)
	b := whole[number*blockSize:][:blockSize]
	change(b)
	copy(b[blockSum:], blockHash(b, number))
	overwrite(t, m, name, whole)
}

// TestHeadTable walks the specification's table of heads found at open.
func TestHeadTable(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	settled(t, m, 1)
	boot(t, m, 1, 1)
	recs := history(t, m)
	id, last := recs[0].Journal, len(recs)
	both := func(j string, seq int, of record.Record) func(*testing.T, *memfs.FS) {
		return func(t *testing.T, d *memfs.FS) {
			noErr(t, ResetHead(d, small, j, record.Tip{Seq: uint64(seq), Hash: of.Hash}))
		}
	}
	slots := func(bad ...int) func(t *testing.T, d *memfs.FS) {
		return func(t *testing.T, d *memfs.FS) {
			for _, i := range bad {
				damageSlot(t, d, i)
			}
		}
	}
	absent := func(t *testing.T, d *memfs.FS) { noErr(t, d.Remove(headFile)) }
	tests := map[string]struct {
		damage func(t *testing.T, d *memfs.FS)
		refs   []Ref
		want   HeadAction
		kind   error
	}{
		"equal":          {},
		"behind":         {damage: both(id, last-1, recs[last-2])},
		"at the base":    {damage: both(id, 3, recs[2])},
		"behind base":    {damage: both(id, 2, recs[1]), want: HeadAction{BehindBase: true}},
		"ahead":          {damage: both(id, last+1, recs[last-1]), kind: ErrRolledBack},
		"other hash":     {damage: both(id, last, recs[last-2]), kind: ErrRewritten},
		"old other hash": {damage: both(id, 2, recs[last-2]), kind: ErrRewritten},
		"other journal":  {damage: both(testJournal, last, recs[last-1]), kind: ErrForeign},
		"slot 0 bad":     {damage: slots(0), want: HeadAction{Rebuilt: "one slot bad"}},
		"slot 1 bad":     {damage: slots(1), want: HeadAction{Rebuilt: "one slot bad"}},
		"both bad":       {damage: slots(0, 1), want: HeadAction{Rebuilt: "both slots bad"}},
		"empty":          {damage: func(t *testing.T, d *memfs.FS) { overwrite(t, d, headFile, nil) }, want: HeadAction{Rebuilt: "both slots bad"}},
		"cut": {damage: func(t *testing.T, d *memfs.FS) { overwrite(t, d, headFile, read(t, d, headFile)[:blockSize]) },
			want: HeadAction{Rebuilt: "one slot bad"}},
		"longer": {damage: func(t *testing.T, d *memfs.FS) {
			overwrite(t, d, headFile, append(read(t, d, headFile), make([]byte, 99)...))
		}},
		"absent":               {damage: absent, want: HeadAction{Rebuilt: "absent"}},
		"absent, ref resolves": {damage: absent, refs: []Ref{{"f", id, 4, recs[3].Hash}}, want: HeadAction{Rebuilt: "absent"}},
		"absent, ref beyond": {damage: absent,
			refs: []Ref{{"f", id, 4, recs[3].Hash}, {"g", id, uint64(last + 2), recs[3].Hash}}, kind: ErrRolledBack},
		"ref to another hash":    {refs: []Ref{{"f", id, 4, recs[4].Hash}}, kind: ErrRewritten},
		"ref to a settled one":   {refs: []Ref{{"f", id, 1, recs[0].Hash}}},
		"ref to another settled": {refs: []Ref{{"f", id, 1, recs[4].Hash}}, kind: ErrRewritten},
		"ref to another journal": {refs: []Ref{{"f", testJournal, 4, recs[3].Hash}}, kind: ErrForeign},
		"ref to record 0":        {refs: []Ref{{"f", id, 0, record.Hash{}}}, kind: errs.ErrCorrupt},
		"newer": {damage: func(t *testing.T, d *memfs.FS) { editBlock(t, d, headFile, 1, func(b []byte) { b[11] = 2 }) },
			kind: errs.ErrNewer},
		"older than any": {damage: func(t *testing.T, d *memfs.FS) {
			editBlock(t, d, headFile, 0, func(b []byte) { b[11] = 0 })
			editBlock(t, d, headFile, 1, func(b []byte) { clear(b[32:40]) })
		}, want: HeadAction{Rebuilt: "both slots bad"}},
		"a directory":  {damage: func(t *testing.T, d *memfs.FS) { noErr(t, d.Remove(headFile)); noErr(t, d.Mkdir(headFile, 0o755)) }, kind: errs.ErrCorrupt},
		"journal gone": {damage: func(t *testing.T, d *memfs.FS) { noErr(t, durable.RemoveAll(d, "journal")) }, kind: ErrMissing},
	}
	for label, tt := range tests {
		t.Run(label, func(t *testing.T) {
			d := m.Clone()
			if tt.damage != nil {
				tt.damage(t, d)
			}
			d.SyncAll()
			if tt.kind != nil {
				refused(t, d, tt.refs, tt.kind)
				return
			}
			g := &gate{boot: newBoot(), sizes: []int{1}, refs: tt.refs}
			noErr(t, g.run(d))
			if g.action != tt.want {
				t.Errorf("action %+v", g.action)
			}
			// The head names the tip, and both slots are good.
			v := must[*View](t)(OpenView(d, small))
			defer v.Close()
			if act, err := v.CheckHead(nil); err != nil || act != (HeadAction{}) {
				t.Errorf("afterwards: %v, %v", act, err)
			}
			if n, ok := v.Head().Newest(); !ok || n.Tip != v.Tip() || v.Head().Path != headFile {
				t.Errorf("head %+v, tip %+v", v.Head(), v.Tip())
			}
		})
	}
}

// refused checks that a boot ends in one of the kinds and leaves the disk unchanged.
func refused(t testing.TB, m *memfs.FS, refs []Ref, kinds ...error) {
	t.Helper()
	before := m.Dump()
	g := &gate{boot: newBoot(), sizes: []int{1}, refs: refs}
	err := g.run(m)
	if err == nil {
		t.Fatalf("the boot succeeds, at %v", g.w.Tip())
	}
	ok := false
	for _, k := range kinds {
		ok = ok || errors.Is(err, k)
	}
	if !ok {
		t.Fatalf("refused with %v", err)
	}
	var typed *errs.Error
	if !errors.As(err, &typed) || typed.Path == "" || typed.Next == "" {
		t.Errorf("the error has no path or no next step: %#v", err)
	}
	after := m.Dump()
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s was changed", name)
		}
	}
	if len(after) != len(before) {
		t.Error("files were added")
	}
}

func TestHeadUnreadable(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	for _, kind := range []memfs.OpKind{memfs.OpOpen, memfs.OpRead, memfs.OpLstat} {
		m.SetHook(func(op memfs.Op) error {
			if op.Kind == kind && op.Name == headFile {
				return syscall.EIO
			}
			return nil
		})
		if _, err := OpenView(m, small); !errors.Is(err, errs.ErrIO) {
			t.Errorf("%s fails: %v", kind, err)
		}
	}
}

func TestInspect(t *testing.T) {
	m := newRoot(t)
	if p, err := Inspect(m, small); err != nil || p != (Presence{}) {
		t.Errorf("%+v, %v", p, err)
	}
	noErr(t, m.Mkdir("journal.new", 0o700))
	noErr(t, m.Mkdir("journal.new/x", 0o700))
	noErr(t, durable.WriteFile(m, "journal.new/x/y", nil, 0o600))
	noErr(t, m.Mkdir("journal.new2", 0o700))
	if p, err := Inspect(m, small); err != nil || p != (Presence{Unfinished: "journal.new"}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := OpenView(m, small); !errors.Is(err, errs.ErrNotFound) {
		t.Errorf("open nothing: %v", err)
	}
	boot(t, m)
	if _, err := m.Lstat("journal.new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished journal is still there: %v", err)
	}
	if _, err := m.Lstat("journal.new2"); err != nil {
		t.Errorf("a file whose name only begins like it is gone: %v", err)
	}
	create := func(e record.Entry) error {
		_, _, err := Create(m, small, e, CreateOptions{})
		return err
	}
	e := entryOf("boot", "Tested", 1)
	if err := create(e); !errors.Is(err, ErrExists) {
		t.Errorf("create over a journal: %v", err)
	}
	noErr(t, durable.RemoveAll(m, "journal"))
	if err := create(e); !errors.Is(err, ErrMissing) {
		t.Errorf("create beside a head file: %v", err)
	}
	noErr(t, durable.WriteFile(m, "journal", nil, 0o600))
	if err := create(e); !errors.Is(err, errs.ErrCorrupt) {
		t.Errorf("create over a file: %v", err)
	}
	m = newRoot(t)
	if err := create(record.Entry{}); !errors.Is(err, errs.ErrInvalid) {
		t.Errorf("create with nothing: %v", err)
	}
	if dump := m.Dump(); len(dump) != 1 {
		t.Errorf("that leaves %v", dump)
	}
	w, rec, err := Create(m, Layout{Dir: "elsewhere", TailLength: minTail}, e, CreateOptions{ID: uuid.MustParse(testJournal)})
	noErr(t, err)
	if rec.Journal != testJournal {
		t.Errorf("id %s", rec.Journal)
	}
	_, err = w.Append(entryOf("boot", "Tested", 1))
	noErr(t, err)
	noErr(t, w.Close())
}

// TestUnfinishedCreation: the next run discards the unfinished head file that a
// creation left. No creation leaves a journal.new beside a journal, so it stays.
func TestUnfinishedCreation(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	noErr(t, m.Mkdir("journal.new", 0o700))
	noErr(t, durable.WriteFile(m, "journal.new/tail", []byte("x"), 0o600))
	noErr(t, durable.WriteFile(m, headFile+".tmp", []byte("x"), 0o600))
	noErr(t, m.Remove(headFile))
	boot(t, m, 1)
	if _, err := m.Lstat("journal.new/tail"); err != nil {
		t.Errorf("the journal.new beside a journal is gone: %v", err)
	}
	noErr(t, durable.RemoveAll(m, "journal.new"))
	noErr(t, tidy(m))
}
