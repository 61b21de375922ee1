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
// manifest that says which of them are in force. A record's own form and its link
// show that it belongs. So a table that nothing refers to any more is as good a
// source as another, and a damaged table hides only its own records.
type Remains struct {
	tables []*table
	last   int // the table that held the last record
}

// OpenRemains opens every table in dir that can be opened. The errors of the
// others are joined.
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

// Record reports whether a table holds bytes of record seq that accept accepts.
// The bytes are valid until the next call.
func (m *Remains) Record(seq uint64, accept func(raw []byte) error) bool {
	// The table that held the record before usually holds this one too.
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
	it   sstable.Iterator // nil after it panicked
	buf  []byte
}

// openTable opens a table and creates an iterator over its records.
func (fl *files) openTable(path string) (t *table, err error) {
	defer recovered("open a table of the journal", path, &err)
	f, err := fl.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, err // callers distinguish an absent table from a damaged one
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

// record returns the bytes of record seq, nil if the table does not hold it or
// cannot return it.
func (t *table) record(seq uint64) (raw []byte) {
	if t.it == nil {
		return nil
	}
	// An attacker may have damaged the table on purpose. A table that made Pebble
	// panic is not read again.
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

// recovered turns a panic into an error.
func recovered(what, path string, err *error) {
	if r := recover(); r != nil {
		*err = errs.Corrupt(path, 0, fmt.Errorf("%v", r), "%s", what)
	}
}
