package journal

import (
	"path"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
)

// CreateOptions are the choices at creation. The zero value is the gate's.
type CreateOptions struct {
	// ID fixes the journal's id, a UUIDv4; a random one if it is zero.
	ID uuid.UUID
}

// Create makes a journal with first as its record 1, and opens it. It never
// happens by accident: a journal in place is ErrExists, a head file without
// one ErrMissing. The head file's directory must exist.
//
// The journal is built under another name with its first record, made
// durable, and renamed; then the head file is written beside its name with
// both slots equal, and renamed. A crash before the first rename leaves
// nothing but remains that the next Create discards; one after it leaves a
// journal whose head file is absent, which CheckHead rebuilds.
func Create(fsys durable.FS, l Layout, first Entry, opt CreateOptions) (*Writer, Record, error) {
	found, err := Inspect(fsys, l)
	switch {
	case err != nil:
		return nil, Record{}, err
	case found.Journal:
		return nil, Record{}, &Error{Kind: ErrExists, Path: l.Dir, Detail: "create the journal", Next: "open it instead"}
	case found.Head:
		return nil, Record{}, &Error{Kind: ErrMissing, Path: l.Dir, Detail: "create the journal: " + l.Head + " refers to one", Next: nextRestore}
	}
	if err := discard(fsys, found); err != nil {
		return nil, Record{}, err
	}
	id := opt.ID
	if id == uuid.Nil {
		if id, err = uuid.NewRandom(); err != nil {
			return nil, Record{}, ioError("draw a journal id", "", err)
		}
	}
	raw, err := Encode(id.String(), 1, Hash{}, first)
	if err != nil {
		return nil, Record{}, err
	}
	rec, err := Decode(raw)
	if err != nil {
		return nil, Record{}, err
	}
	if err := build(fsys, l, id, raw); err != nil {
		return nil, Record{}, err
	}
	if l.Head != "" {
		if err := writeHead(fsys, l, id, Tip{1, rec.Hash}); err != nil {
			return nil, Record{}, err
		}
	}
	v, err := OpenView(fsys, l)
	if err != nil {
		return nil, Record{}, err
	}
	w, err := OpenWriter(fsys, l, v, HeadAction{})
	return w, rec, err
}

// build makes the journal directory with one record, durably.
func build(fsys durable.FS, l Layout, id uuid.UUID, raw []byte) error {
	dir := l.newDir()
	if err := fsys.Mkdir(dir, dirMode); err != nil {
		return ioError("create the journal", dir, err)
	}
	s := newStore(fsys, false)
	err := s.fault.run("create the journal", dir, func() error {
		o := options(s)
		o.ErrorIfExists = true
		db, err := pebble.Open(dir, o)
		if err != nil {
			return err
		}
		// Nothing needs a log: the flush makes the record durable.
		s.seal()
		b := db.NewBatch()
		if err := setRecord(b, id, Tip{1, HashOf(raw)}, raw); err != nil {
			return err
		}
		if err := b.Commit(pebble.NoSync); err != nil {
			return err
		}
		if err := db.Flush(); err != nil {
			return err
		}
		return db.Close()
	})
	if err != nil {
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return ioError("create the journal", dir, err)
	}
	if err := fsys.Rename(dir, l.Dir); err != nil {
		return ioError("publish the journal", l.Dir, err)
	}
	if err := fsys.SyncDir(path.Dir(l.Dir)); err != nil {
		return ioError("publish the journal", l.Dir, err)
	}
	return nil
}

// setRecord adds a record and the head that names it to a batch.
func setRecord(b *pebble.Batch, id uuid.UUID, t Tip, raw []byte) error {
	if err := b.Set(recordKey(t.Seq), raw, nil); err != nil {
		return err
	}
	return b.Set([]byte(headKey), appendHeadValue(nil, id, t), nil)
}
