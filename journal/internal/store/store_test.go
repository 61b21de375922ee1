package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

const dir = "journal"

func noErr(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		noErr(t, err)
		return v
	}
}

// shelf is a store and the records that were settled into it. The store does not
// decode records, so any bytes do.
type shelf struct {
	m    *memfs.FS
	raws [][]byte
}

func newShelf(t testing.TB) *shelf {
	t.Helper()
	m := memfs.New()
	noErr(t, m.Mkdir(dir, 0o750))
	noErr(t, Create(m, dir))
	m.SyncAll()
	return &shelf{m: m}
}

func (s *shelf) tip() record.Tip {
	if len(s.raws) == 0 {
		return record.Tip{}
	}
	return record.Tip{Seq: uint64(len(s.raws)), Hash: record.HashOf(s.raws[len(s.raws)-1])}
}

// next returns n records that follow.
func (s *shelf) next(n int) (raws [][]byte) {
	for i := range n {
		raws = append(raws, fmt.Appendf(nil, "record %d %s", len(s.raws)+i+1, strings.Repeat("x", 500)))
	}
	return raws
}

func (s *shelf) settle(t testing.TB, n int) {
	t.Helper()
	raws := s.next(n)
	noErr(t, Settle(s.m, dir, s.tip(), raws, &Snapshot{Seq: uint64(len(s.raws) + n), Data: []byte("state")}))
	s.raws = append(s.raws, raws...)
}

// holds checks that a disk's store has the shelf's records, and nothing else.
func (s *shelf) holds(t testing.TB, m *memfs.FS) {
	t.Helper()
	st := must[*Store](t)(Open(m, dir))
	defer st.Close()
	if st.Last() != uint64(len(s.raws)) {
		t.Errorf("newest record %d, want %d", st.Last(), len(s.raws))
	}
	n := 0
	noErr(t, st.Each(1, 1<<50, func(seq uint64, raw []byte) bool {
		if int(seq) != n+1 || !bytes.Equal(raw, s.raws[n]) {
			t.Errorf("record %d differs", seq)
		}
		n++
		return true
	}))
	if n != len(s.raws) {
		t.Errorf("%d records, want %d", n, len(s.raws))
	}
	noErr(t, st.Holds(s.tip()))
}

func (s *shelf) names(t testing.TB) []string {
	t.Helper()
	return must[[]string](t)(durable.Names(s.m, dir))
}

func TestSettle(t *testing.T) {
	s := newShelf(t)
	s.holds(t, s.m)
	s.settle(t, 3)
	s.settle(t, 1)
	s.holds(t, s.m.Crash(memfs.Crash{Keep: memfs.None}))
	st := must[*Store](t)(Open(s.m, dir))
	defer st.Close()
	if got := must[[]uint64](t)(st.Snapshots()); !slices.Equal(got, []uint64{4}) {
		t.Errorf("snapshots at %v", got)
	}
	if got := must[[]byte](t)(st.Snapshot(4)); string(got) != "state" {
		t.Errorf("snapshot %q", got)
	}
	for _, err := range []error{second(st.Snapshot(3)), second(st.Record(5)), second(st.Record(0))} {
		if !errors.Is(err, errs.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	}
	n := 0
	noErr(t, st.Each(2, 3, func(uint64, []byte) bool { n++; return false }))
	if n != 1 {
		t.Errorf("%d records after a stop", n)
	}
	if err := Create(s.m, dir); err == nil {
		t.Error("created over a store")
	}
	// Nothing but a snapshot, and nothing at all.
	noErr(t, Settle(s.m, dir, s.tip(), nil, &Snapshot{Seq: 4, Data: []byte("another")}))
	noErr(t, Settle(s.m, dir, s.tip(), nil, nil))
	s.holds(t, s.m)
}

func second[T any](_ T, err error) error { return err }

// TestSettleRefuses: the store must hold the same records as the tail, up to the
// base and after it; otherwise nothing is opened for writing.
func TestSettleRefuses(t *testing.T) {
	s := newShelf(t)
	s.settle(t, 3)
	other := [][]byte{[]byte("another record")}
	hash := record.HashOf(other[0])
	tests := map[string]struct {
		base record.Tip
		raws [][]byte
	}{
		"a base that is not here":     {record.Tip{Seq: 4, Hash: hash}, s.next(1)},
		"a base of another hash":      {record.Tip{Seq: 3, Hash: hash}, s.next(1)},
		"another record in its place": {record.Tip{Seq: 2, Hash: record.HashOf(s.raws[1])}, other},
		"another record after equals": {record.Tip{Seq: 1, Hash: record.HashOf(s.raws[0])}, [][]byte{s.raws[1], other[0], other[0]}},
		"another record, no base":     {record.Tip{}, other},
	}
	for name, tt := range tests {
		before := s.m.Dump()
		err := Settle(s.m, dir, tt.base, tt.raws, &Snapshot{Seq: 9})
		if !errors.Is(err, errs.ErrCorrupt) || !strings.Contains(err.Error(), "at journal") {
			t.Errorf("%s: %v", name, err)
		}
		if !maps.Equal(s.m.Dump(), before) {
			t.Errorf("%s: the disk was changed", name)
		}
	}
	// The same records again, and one more.
	noErr(t, Settle(s.m, dir, record.Tip{Seq: 1, Hash: record.HashOf(s.raws[0])}, append(s.raws[1:], s.next(1)...), nil))
	s.raws = append(s.raws, s.next(1)...)
	s.holds(t, s.m)
}

// TestCleanUp: a failed settling removes the files that it made while the marker is
// the one from before. Once the new marker may be in force nothing is removed: the
// next settling does it.
func TestCleanUp(t *testing.T) {
	type fault struct {
		kind memfs.OpKind
		part string
		nth  int
	}
	for name, tt := range map[string]struct {
		fault fault
		clean bool
	}{
		"a table's creation":        {fault{memfs.OpCreate, ".sst", 1}, true},
		"a table's bytes":           {fault{memfs.OpWrite, ".sst", 1}, true},
		"a table's sync":            {fault{memfs.OpDatasync, ".sst", 1}, true},
		"a manifest's creation":     {fault{memfs.OpCreate, "MANIFEST", 1}, true},
		"a manifest's sync":         {fault{memfs.OpSync, "MANIFEST", 1}, true},
		"the names before a marker": {fault{memfs.OpSyncDir, dir, 1}, true},
		"a marker's creation":       {fault{memfs.OpCreate, "marker.", 1}, true},
		"a marker's name":           {fault{memfs.OpSyncDir, dir, 2}, false},
		"an old marker's removal":   {fault{memfs.OpRemove, "marker.", 1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.settle(t, 2)
			before := fmt.Sprint(s.names(t))
			n := 0
			s.m.SetHook(func(op memfs.Op) error {
				if op.Kind == tt.fault.kind && strings.Contains(op.Name, tt.fault.part) {
					if n++; n == tt.fault.nth {
						return syscall.EIO
					}
				}
				return nil
			})
			err := Settle(s.m, dir, s.tip(), s.next(2), nil)
			s.m.SetHook(nil)
			if !errors.Is(err, errs.ErrIO) || n < tt.fault.nth {
				t.Fatalf("got %v after %d", err, n)
			}
			if after := fmt.Sprint(s.names(t)); (after == before) != tt.clean {
				t.Errorf("before %s, after %s", before, after)
			}
			// Whatever a power cut leaves, the settled records are there.
			for _, c := range []memfs.Crash{{Keep: memfs.None}, {Keep: memfs.All}, {Keep: memfs.Random, Seed: 1}, {Keep: memfs.Random, Seed: 2}} {
				m := s.m.Crash(c)
				next := &shelf{m: m, raws: s.raws}
				next.settle(t, 2)
				next.settle(t, 1)
				next.settle(t, 1)
				next.holds(t, m)
				if got := next.names(t); len(got) > len(strings.Fields(before))+4 {
					t.Errorf("%+v: left behind: %q, before %s", c, got, before)
				}
			}
		})
	}
}

// TestLadder: the newest is kept, and of each step the newest.
func TestLadder(t *testing.T) {
	var have []uint64
	for seq := uint64(1000); seq < 10*ladderStep; seq += 1000 {
		for _, d := range dropped(have, seq) {
			i := slices.Index(have, d)
			if i < 0 {
				t.Fatalf("%d is dropped, but not here", d)
			}
			have = slices.Delete(have, i, i+1)
		}
		have = append(have, seq)
	}
	if len(have) != 10 || have[9] != 81000 {
		t.Errorf("ladder %v", have)
	}
	for i := 1; i < len(have); i++ {
		if have[i]-have[i-1] > ladderStep+1000 {
			t.Errorf("a step of %d", have[i]-have[i-1])
		}
	}
	if d := dropped([]uint64{5}, 5); d != nil {
		t.Errorf("again: %v", d)
	}
}

// TestLadderSettled: dropped snapshots are gone from the store.
func TestLadderSettled(t *testing.T) {
	s := newShelf(t)
	for range 4 {
		s.settle(t, 5000)
	}
	st := must[*Store](t)(Open(s.m, dir))
	defer st.Close()
	if got := must[[]uint64](t)(st.Snapshots()); !slices.Equal(got, []uint64{5000, 15000, 20000}) {
		t.Errorf("snapshots at %v", got)
	}
}

// TestPinnedTables: a reader keeps its tables, whatever removes them.
func TestPinnedTables(t *testing.T) {
	s := newShelf(t)
	rng := rand.New(rand.NewPCG(1, 2))
	big := make([]byte, 1<<20)
	for i := range big {
		big[i] = byte(rng.Uint32())
	}
	for range maxL0 { // the last one compacts, into several tables
		noErr(t, Settle(s.m, dir, s.tip(), [][]byte{big}, nil))
		s.raws = append(s.raws, big)
	}
	s.settle(t, 3)
	st := must[*Store](t)(Open(s.m, dir))
	tables := must[[]string](t)(st.Tables())
	for _, n := range tables {
		noErr(t, s.m.Remove(dir+"/"+n))
	}
	n := 0
	noErr(t, st.Each(1, 1<<50, func(seq uint64, raw []byte) bool {
		if n++; int(seq) != n || !bytes.Equal(raw, s.raws[seq-1]) {
			t.Errorf("record %d differs", seq)
		}
		return true
	}))
	if n != len(s.raws) || len(tables) < 5 {
		t.Errorf("%d records, want %d; %d tables", n, len(s.raws), len(tables))
	}
	noErr(t, st.Close())
	if s.m.Used() > 1<<20 {
		t.Errorf("%d bytes are held by files after the reader closed", s.m.Used())
	}
}

// TestFlippedTable: a flipped bit in a table is damage and an error of the call that
// reads it; it neither ends the process nor blocks it.
func TestFlippedTable(t *testing.T) {
	s := newShelf(t)
	s.settle(t, 3)
	st := must[*Store](t)(Open(s.m, dir))
	name := dir + "/" + must[[]string](t)(st.Tables())[0]
	noErr(t, st.Close())
	whole, _, err := durable.ReadFile(s.m, name, 1<<20)
	noErr(t, err)
	for i := range whole {
		if i%7 != 0 {
			continue
		}
		m := s.m.Clone()
		bad := bytes.Clone(whole)
		bad[i] ^= 1 << (i % 8)
		f := must[durable.File](t)(m.OpenWrite(name))
		_, err := f.WriteAt(bad, 0)
		noErr(t, errors.Join(err, f.Close()))
		st, err := Open(m, dir)
		found := 0
		if err == nil {
			err = errors.Join(st.Each(1, 9, func(uint64, []byte) bool { return true }), second(st.Record(2)), second(st.Snapshot(3)))
			noErr(t, st.VerifyTables(context.Background(), func(err error, counts bool) {
				if found++; !counts || !errors.Is(err, errs.ErrCorrupt) {
					t.Errorf("byte %d: %v", i, err)
				}
			}))
			_ = st.Close()
		}
		if err != nil && !errors.Is(err, errs.ErrCorrupt) || err == nil && found == 0 {
			t.Errorf("byte %d of %d: %v, %d found", i, len(whole), err, found)
		}
		if err := Settle(m, dir, s.tip(), s.next(1), nil); err != nil && !errors.Is(err, errs.ErrCorrupt) {
			t.Errorf("byte %d: settle: %v", i, err)
		}
		r, err := OpenRemains(m, dir)
		if err != nil && !errors.Is(err, errs.ErrCorrupt) {
			t.Errorf("byte %d: remains: %v", i, err)
		}
		r.Record(2, func(raw []byte) error {
			if !bytes.Equal(raw, s.raws[1]) {
				t.Errorf("byte %d: another record", i)
			}
			return nil
		})
		r.Close()
	}
}

// TestMarkersAndManifest: files that Pebble reads leniently are checked first.
func TestMarkersAndManifest(t *testing.T) {
	s := newShelf(t)
	s.settle(t, 3)
	find := func(part string) (name string) {
		for _, n := range s.names(t) {
			if strings.Contains(n, part) {
				name = dir + "/" + n
			}
		}
		return name
	}
	manifest := find("marker.manifest.")
	manifest = dir + "/" + manifest[strings.Index(manifest, "MANIFEST-"):]
	for i, tt := range []struct {
		damage func(m *memfs.FS)
		kind   error
	}{
		{func(m *memfs.FS) { noErr(t, m.Remove(find("marker.manifest."))) }, errs.ErrCorrupt},
		{func(m *memfs.FS) { noErr(t, m.Remove(find("marker.format-version."))) }, errs.ErrCorrupt},
		{func(m *memfs.FS) { noErr(t, m.Remove(manifest)) }, errs.ErrCorrupt},
		{func(m *memfs.FS) { resize(t, m, manifest, maxManifest+1) }, errs.ErrCorrupt},
		{func(m *memfs.FS) { resize(t, m, manifest, 20) }, errs.ErrCorrupt},
		{func(m *memfs.FS) {
			old := find("marker.format-version.")
			noErr(t, m.Rename(old, old[:len(old)-3]+"999"))
		}, errs.ErrNewer},
		{func(m *memfs.FS) {
			m.SetHook(func(op memfs.Op) error {
				if op.Kind == memfs.OpLstat {
					return syscall.EIO
				}
				return nil
			})
		}, errs.ErrIO},
	} {
		m := s.m.Clone()
		tt.damage(m)
		_, err := Open(m, dir)
		if !errors.Is(err, tt.kind) || i < 2 && !strings.Contains(err.Error(), "the marker of its format or of its manifest is missing") {
			t.Errorf("%d: open: %v", i, err)
		}
		if err := Settle(m, dir, s.tip(), s.next(1), nil); !errors.Is(err, tt.kind) {
			t.Errorf("%d: settle: %v", i, err)
		}
		if i == 0 { // without the format's marker a salvage reads each table by itself
			st := must[*Store](t)(OpenDamaged(m, dir))
			if st.Last() != 3 {
				t.Errorf("%d: a salvage finds %d records", i, st.Last())
			}
			noErr(t, st.Close())
		}
	}
}

func resize(t testing.TB, m *memfs.FS, name string, size int64) {
	t.Helper()
	f := must[durable.File](t)(m.OpenWrite(name))
	noErr(t, f.Truncate(size))
	noErr(t, f.Close())
	m.SyncAll()
}

// TestOddKeys: keys that the gate never writes are damage and cause no panic.
func TestOddKeys(t *testing.T) {
	for _, key := range []string{"x", "\x00\x00\x00\x00\x00\x00\x00\x01x", snapshots[:4], snapshots + "x"} {
		s := newShelf(t)
		s.settle(t, 2)
		f := newFiles(s.m, dir, false)
		db := must[*pebble.DB](t)(pebble.Open(dir, options(f)))
		noErr(t, db.Set([]byte(key), []byte("value"), pebble.NoSync))
		noErr(t, db.Flush())
		noErr(t, db.Close())
		st, err := Open(s.m, dir)
		if err == nil {
			err = errors.Join(st.Each(1, 1<<50, func(uint64, []byte) bool { return true }), second(st.Snapshots()), st.Close())
		}
		if before := key < string(recordKey(1)); (err == nil) != before || err != nil && !errors.Is(err, errs.ErrCorrupt) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

// TestManySettlings: neither the number of files nor their size grows with the
// number of settlings.
func TestManySettlings(t *testing.T) {
	s := newShelf(t)
	sizes := 0
	for i := range 400 {
		s.settle(t, 33)
		for _, raw := range s.raws[len(s.raws)-33:] {
			sizes += len(raw)
		}
		disk := int64(0)
		files := must[[]File](t)(List(s.m, dir))
		for _, f := range files {
			disk += f.Size
		}
		if len(files) > 31 || disk > int64(sizes)*3/2+4<<20 {
			t.Fatalf("after %d settlings: %d files, %d bytes for %d bytes of records", i+1, len(files), disk, sizes)
		}
	}
	s.holds(t, s.m)
}

// TestReadOnly: reading changes nothing.
func TestReadOnly(t *testing.T) {
	s := newShelf(t)
	s.settle(t, 3)
	s.m.SetHook(func(op memfs.Op) error {
		if op.Mutates {
			t.Errorf("reading does %s %s", op.Kind, op.Name)
		}
		return nil
	})
	s.holds(t, s.m)
	m := must[*Remains](t)(OpenRemains(s.m, dir))
	defer m.Close()
	ok := m.Record(2, func(raw []byte) error {
		if !bytes.Equal(raw, s.raws[1]) {
			return errors.New("another record")
		}
		return nil
	})
	if !ok || m.Record(9, func([]byte) error { return nil }) || m.Record(1, func([]byte) error { return errors.New("no") }) {
		t.Error("not the records that were settled")
	}
}
