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
)

func TestSlotBytes(t *testing.T) {
	id := uuid.MustParse(testJournal)
	b := encodeSlot(id, Tip{0x0102030405060708, HashOf([]byte("x"))})
	want := hex.EncodeToString([]byte("EDGEHEAD")) + "00000001" + "00000000" + strings.ReplaceAll(testJournal, "-", "") +
		"0102030405060708" + HashOf([]byte("x")).String() + strings.Repeat("0", 48)
	if got := hex.EncodeToString(b[:slotSum]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if sum := HashOf(b[:slotSum]); !bytes.Equal(sum[:], b[slotSum:]) || len(b) != slotLen {
		t.Error("checksum")
	}
	if s := parseSlot(b); s.State != SlotGood || s.Journal != testJournal || s.Tip.Seq != 0x0102030405060708 {
		t.Errorf("read as %+v", s)
	}
}

// edit rewrites a slot's body and, so that the change is believed, its sum.
func edit(t testing.TB, fsys durable.FS, i int, change func(b []byte)) {
	t.Helper()
	b := read(t, fsys, "bootstrap/journal_head")
	slot := b[i*slotStride:][:slotLen]
	change(slot)
	sum := HashOf(slot[:slotSum])
	copy(slot[slotSum:], sum[:])
	overwrite(t, fsys, "bootstrap/journal_head", b)
}

// TestHeadTable walks the specification's table of heads found at open.
func TestHeadTable(t *testing.T) {
	m := newRoot(t)
	recs := grown(t, m, 6)
	id := recs[0].Journal
	const name = "bootstrap/journal_head"
	both := func(j string, seq uint64, h Hash) func(*testing.T, *memfs.FS) {
		return func(t *testing.T, d *memfs.FS) { noErr(t, ResetHead(d, DefaultLayout(), j, Tip{seq, h})) }
	}
	tests := map[string]struct {
		damage func(t *testing.T, d *memfs.FS)
		refs   []Ref
		step   HeadStep
		found  string
		kind   error
	}{
		"equal":          {},
		"behind":         {damage: both(id, 3, recs[2].Hash), step: HeadAdvance},
		"ahead":          {damage: both(id, 7, recs[5].Hash), kind: ErrRolledBack},
		"other hash":     {damage: both(id, 6, recs[4].Hash), kind: ErrRewritten},
		"old other hash": {damage: both(id, 2, recs[4].Hash), kind: ErrRewritten},
		"other journal":  {damage: both(testJournal, 6, recs[5].Hash), kind: ErrForeign},
		"slot 0 bad":     {damage: func(t *testing.T, d *memfs.FS) { damageSlot(t, d, 0) }, step: HeadRewrite, found: "one slot bad"},
		"slot 1 bad":     {damage: func(t *testing.T, d *memfs.FS) { damageSlot(t, d, 1) }, step: HeadRewrite, found: "one slot bad"},
		"both bad":       {damage: func(t *testing.T, d *memfs.FS) { damageSlot(t, d, 0); damageSlot(t, d, 1) }, step: HeadRewrite, found: "both slots bad"},
		"empty":          {damage: func(t *testing.T, d *memfs.FS) { overwrite(t, d, name, nil) }, step: HeadRewrite, found: "both slots bad"},
		"cut":            {damage: func(t *testing.T, d *memfs.FS) { overwrite(t, d, name, read(t, d, name)[:slotLen]) }, step: HeadRewrite, found: "one slot bad"},
		"absent":         {damage: func(t *testing.T, d *memfs.FS) { noErr(t, d.Remove(name)) }, step: HeadRewrite, found: "absent"},
		"absent, ref resolves": {damage: func(t *testing.T, d *memfs.FS) { noErr(t, d.Remove(name)) },
			refs: []Ref{{"f", id, 4, recs[3].Hash}}, step: HeadRewrite, found: "absent"},
		"absent, ref beyond": {damage: func(t *testing.T, d *memfs.FS) { noErr(t, d.Remove(name)) },
			refs: []Ref{{"f", id, 4, recs[3].Hash}, {"g", id, 8, recs[3].Hash}}, kind: ErrRolledBack},
		"ref to another hash":    {refs: []Ref{{"f", id, 4, recs[4].Hash}}, kind: ErrRewritten},
		"ref to another journal": {refs: []Ref{{"f", testJournal, 4, recs[3].Hash}}, kind: ErrForeign},
		"ref to record 0":        {refs: []Ref{{"f", id, 0, Hash{}}}, kind: ErrCorrupt},
		"newer": {damage: func(t *testing.T, d *memfs.FS) {
			edit(t, d, 1, func(b []byte) { b[11] = 2 })
		}, kind: ErrNewer},
		"older than any": {damage: func(t *testing.T, d *memfs.FS) {
			edit(t, d, 0, func(b []byte) { b[11] = 0 })
			edit(t, d, 1, func(b []byte) { copy(b[32:40], make([]byte, 8)) })
		}, step: HeadRewrite, found: "both slots bad"},
		"a directory":  {damage: func(t *testing.T, d *memfs.FS) { noErr(t, d.Remove(name)); noErr(t, d.Mkdir(name, 0o755)) }, kind: ErrCorrupt},
		"journal gone": {damage: func(t *testing.T, d *memfs.FS) { noErr(t, removeTree(d, "journal")) }, kind: ErrMissing},
	}
	for label, tt := range tests {
		t.Run(label, func(t *testing.T) {
			d := m.Clone()
			if tt.damage != nil {
				tt.damage(t, d)
			}
			before := d.Dump()
			w, act, err := boot(d, tt.refs...)
			if tt.kind != nil {
				if !errors.Is(err, tt.kind) {
					t.Fatalf("got %v, %v", act, err)
				}
				if after := d.Dump(); len(after) != len(before) || after[name] != before[name] {
					t.Error("the disk was changed")
				}
				return
			}
			noErr(t, err)
			if act.Step != tt.step || act.Found != tt.found {
				t.Errorf("action %+v", act)
			}
			// Carried out at once: the head names the tip.
			if n, ok := must[HeadReport](t)(ReadHead(d, DefaultLayout())).Newest(); !ok || n.Tip != w.Tip() {
				t.Errorf("head %+v, tip %+v", n, w.Tip())
			}
			_, err = w.Append(entry(7))
			noErr(t, err)
			noErr(t, w.Close())
			v := must[*View](t)(OpenView(d, DefaultLayout()))
			if act, err := v.CheckHead(nil); err != nil || act.Step != HeadNone {
				t.Errorf("afterwards: %v, %v", act, err)
			}
			if v.Head().Path != name || v.Found().Journal == false {
				t.Errorf("report %+v", v.Head())
			}
			noErr(t, v.Close())
		})
	}
}

func TestHeadUnreadable(t *testing.T) {
	m := newRoot(t)
	grown(t, m, 2)
	for _, kind := range []memfs.OpKind{memfs.OpOpen, memfs.OpRead, memfs.OpLstat} {
		m.SetHook(func(op memfs.Op) error {
			if op.Kind == kind && op.Name == "bootstrap/journal_head" {
				return syscall.EIO
			}
			return nil
		})
		if _, err := OpenView(m, DefaultLayout()); !errors.Is(err, ErrIO) {
			t.Errorf("%s fails: %v", kind, err)
		}
	}
}

func TestInspect(t *testing.T) {
	m := newRoot(t)
	if p, err := Inspect(m, DefaultLayout()); err != nil || p.Journal || p.Head || p.Partial != nil {
		t.Errorf("%+v, %v", p, err)
	}
	noErr(t, m.Mkdir("journal.new", 0o700))
	noErr(t, m.Mkdir("journal.new/x", 0o700))
	noErr(t, durable.WriteFile(m, "journal.new/x/y", nil, 0o600))
	if p, err := Inspect(m, DefaultLayout()); err != nil || len(p.Partial) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := OpenView(m, DefaultLayout()); !errors.Is(err, ErrNotFound) {
		t.Errorf("open nothing: %v", err)
	}
	grown(t, m, 1)
	if _, err := m.Lstat("journal.new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the remains are still there: %v", err)
	}
	if _, _, err := Create(m, DefaultLayout(), entry(1), CreateOptions{}); !errors.Is(err, ErrExists) {
		t.Errorf("create over a journal: %v", err)
	}
	noErr(t, removeTree(m, "journal"))
	if _, _, err := Create(m, DefaultLayout(), entry(1), CreateOptions{}); !errors.Is(err, ErrMissing) {
		t.Errorf("create beside a head file: %v", err)
	}
	noErr(t, durable.WriteFile(m, "journal", nil, 0o600))
	if _, _, err := Create(m, DefaultLayout(), entry(1), CreateOptions{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("create over a file: %v", err)
	}
	m = newRoot(t)
	if _, _, err := Create(m, DefaultLayout(), Entry{}, CreateOptions{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("create with nothing: %v", err)
	}
	id := uuid.MustParse(testJournal)
	w, _, err := Create(m, Layout{Dir: "elsewhere"}, entry(1), CreateOptions{ID: id})
	noErr(t, err)
	if w.ID() != testJournal {
		t.Errorf("id %s", w.ID())
	}
	noErr(t, w.Close())
}

func FuzzHead(f *testing.F) {
	slot := encodeSlot(uuid.MustParse(testJournal), Tip{7, HashOf(nil)})
	whole := make([]byte, headSize)
	copy(whole, slot)
	copy(whole[slotStride:], slot)
	f.Add(whole)
	f.Add(slot)
	f.Fuzz(func(t *testing.T, b []byte) {
		for i, s := range parseHead(b) {
			if s.State != SlotGood {
				continue
			}
			again := encodeSlot(uuid.MustParse(s.Journal), s.Tip)
			if was := b[i*slotStride:][:slotLen]; !bytes.Equal(was[16:72], again[16:72]) || s.Tip.Seq == 0 {
				t.Fatalf("slot %d is taken for %+v", i, s)
			}
		}
	})
}
