package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// Remains finds records in the tables of a journal one by one, without the
// manifest that says which of them count. That a record belongs, its own form
// and its link say; so a table that nothing refers to any more is as good a
// source as another, and one that is damaged hides its own records only.
type Remains struct {
	tables []*table
	last   int // the table that gave the last record
}

// OpenRemains opens what can be opened of the tables in dir. The errors, first
// of all of a table that cannot be read, are joined.
func OpenRemains(fsys durable.FS, dir string) (*Remains, error) {
	m := &Remains{}
	f := newFiles(fsys, dir, true)
	names, err := f.List(dir)
	if err != nil {
		return m, classify("list the journal", dir, err)
	}
	var bad []error
	for _, n := range names {
		if !isTable(n) {
			continue
		}
		t, err := f.openTable(path.Join(dir, n))
		if err != nil {
			bad = append(bad, err)
			continue
		}
		m.tables = append(m.tables, t)
	}
	return m, errors.Join(bad...)
}

// Record finds a record's bytes that accept takes, which are valid until the
// next call; false if no table holds any.
func (m *Remains) Record(seq uint64, accept func(raw []byte) error) bool {
	// The one that held the record before holds this one too, mostly.
	for i := range m.tables {
		at := (m.last + i) % len(m.tables)
		if raw := m.tables[at].record(seq); raw != nil && accept(raw) == nil {
			m.last = at
			return true
		}
	}
	return false
}

// Close releases the tables.
func (m *Remains) Close() {
	for _, t := range m.tables {
		t.close()
	}
}

// table is one of Pebble's tables, read by itself.
type table struct {
	path string
	r    *sstable.Reader
	it   sstable.Iterator // nil once it failed for good
	buf  []byte
}

// openTable opens a table and checks that it can be walked.
func (fl *files) openTable(path string) (t *table, err error) {
	defer recovered("open a table of the journal", path, &err)
	f, err := fl.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err // callers distinguish it from damage
		}
		return nil, classify("open a table of the journal", path, err)
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		_ = f.Close()
		return nil, classify("open a table of the journal", path, err)
	}
	o := options(fl)
	o.EnsureDefaults()
	r, err := sstable.NewReader(context.Background(), readable, o.MakeReaderOptions())
	if err != nil {
		_ = readable.Close()
		return nil, errs.Corrupt(path, 0, err, "open a table of the journal")
	}
	t = &table{path: path, r: r}
	if t.it, err = r.NewIter(sstable.NoTransforms, nil, firstSnapshot(), sstable.AssertNoBlobHandles); err != nil {
		_ = r.Close()
		return nil, errs.Corrupt(path, 0, err, "open a table of the journal")
	}
	return t, nil
}

// record gives the bytes at a record's place, nil if the table does not hold
// them or cannot give them.
func (t *table) record(seq uint64) (raw []byte) {
	if t.it == nil {
		return nil
	}
	// A table is damaged as its author meant it to be: what panics is not read
	// from again.
	defer func() {
		if recover() != nil {
			t.it, raw = nil, nil
		}
	}()
	kv := t.it.SeekGE(recordKey(seq), 0)
	if kv == nil || kv.Kind() != pebble.InternalKeyKindSet || len(kv.K.UserKey) != 8 || binary.BigEndian.Uint64(kv.K.UserKey) != seq {
		return nil
	}
	val, _, err := kv.Value(t.buf)
	if err != nil || len(val) > record.MaxLen {
		return nil
	}
	t.buf = append(t.buf[:0], val...)
	return t.buf
}

func (t *table) close() {
	defer func() { _ = recover() }() // as above; nothing was written
	if t.it != nil {
		_ = t.it.Close()
	}
	_ = t.r.Close()
}

// recovered turns a panic into an error of what was being done.
func recovered(what, path string, err *error) {
	if r := recover(); r != nil {
		*err = errs.Corrupt(path, 0, fmt.Errorf("%v", r), "%s", what)
	}
}
