package journal

import (
	"path"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// CreateOptions are the choices at creation. The gate uses the zero value.
type CreateOptions struct {
	// ID is the journal's id, a UUIDv4. If it is zero, Create draws one.
	ID uuid.UUID
}

// Create makes a journal with first as its record 1, and opens it. It never
// replaces one: if a journal exists the error is ErrExists, if only a head file
// exists it is ErrMissing. The head file's directory must exist.
//
// The journal is built under another name, made durable, and renamed; then the
// head file is made with both slots equal. A crash before the first rename
// leaves only an unfinished journal, which the next Create discards. A crash
// after it leaves a journal without a head file, which CheckHead rebuilds.
func Create(fsys durable.FS, l Layout, first record.Entry, opt CreateOptions) (*Writer, record.Record, error) {
	found, err := Inspect(fsys, l)
	switch {
	case err != nil:
		return nil, record.Record{}, err
	case found.Journal:
		return nil, record.Record{}, &errs.Error{Kind: ErrExists, Path: l.Dir, Detail: "create the journal", Next: "open it instead"}
	case found.Head:
		return nil, record.Record{}, &errs.Error{Kind: ErrMissing, Path: l.Dir, Detail: "create the journal: " + l.Head + " refers to one", Next: nextRestore}
	}
	if found.Unfinished != "" {
		if err := durable.RemoveAll(fsys, found.Unfinished); err != nil {
			return nil, record.Record{}, errs.Of("discard an unfinished journal", found.Unfinished, err)
		}
	}
	id := opt.ID
	if id == uuid.Nil {
		if id, err = uuid.NewRandom(); err != nil {
			return nil, record.Record{}, errs.Of("draw a journal id", "", err)
		}
	}
	raw, err := record.Encode(id.String(), 1, record.Hash{}, first)
	if err != nil {
		return nil, record.Record{}, err
	}
	rec, err := record.Decode(raw)
	if err != nil {
		return nil, record.Record{}, err
	}
	if err := build(fsys, l, id, rec); err != nil {
		return nil, record.Record{}, err
	}
	if l.Head != "" {
		if err := createHead(fsys, l, id, tipOf(&rec)); err != nil {
			return nil, record.Record{}, err
		}
	}
	v, err := OpenView(fsys, l)
	if err != nil {
		return nil, record.Record{}, err
	}
	w, err := OpenWriter(v, HeadAction{}, "") // everything is synced: no boot id
	return w, rec, err
}

// build makes the journal directory with one record, durably.
func build(fsys durable.FS, l Layout, id uuid.UUID, first record.Record) error {
	dir := l.newDir()
	if err := fsys.Mkdir(dir, dirMode); err != nil {
		return errs.Of("create the journal", dir, err)
	}
	if err := store.Create(fsys, dir); err != nil {
		return err
	}
	files, err := store.List(fsys, dir)
	if err != nil {
		return err
	}
	h := header{id: id, length: l.tailLength(), generation: 1, files: files}
	content := make([]byte, firstFrame*blockSize)
	copy(content, h.encode(0))
	content = append(content, encodeFrame(h.generation, 1, first.Hash, first.Raw, firstFrame)...)
	if err := createInPlace(fsys, path.Join(dir, TailName), content, int(h.length)); err != nil {
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return errs.Of("create the journal", dir, err)
	}
	if err := fsys.Rename(dir, l.Dir); err != nil {
		return errs.Of("publish the journal", l.Dir, err)
	}
	if err := fsys.SyncDir(path.Dir(l.Dir)); err != nil {
		return errs.Of("publish the journal", l.Dir, err)
	}
	return nil
}
