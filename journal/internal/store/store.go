package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// Store is the settled part of a journal, open for reading. Its methods may be
// called from several goroutines.
type Store struct {
	files *files
	dir   string
	db    *pebble.DB
	last  uint64 // seq of the newest record, 0 if there is none
}

// Create makes an empty store in the existing directory dir, and closes it. Its
// files are durable; the caller must sync dir to make their names durable.
func Create(fsys durable.FS, dir string) error {
	f := newFiles(fsys, dir, false)
	return f.fault.run("create the journal", dir, func() error {
		o := options(f)
		o.ErrorIfExists = true
		db, err := pebble.Open(dir, o)
		if err != nil {
			return err
		}
		return db.Close()
	})
}

// Open opens the store in dir for reading. It changes nothing and never waits for
// a writer. Every table stays readable until Close, even if a settling removes it
// meanwhile. Errors are errs.ErrCorrupt, errs.ErrNewer and those of the disk.
func Open(fsys durable.FS, dir string) (*Store, error) { return open(newFiles(fsys, dir, true)) }

// OpenDamaged is Open for a salvage: if the marker of the manifest is missing, it
// uses the newest manifest.
func OpenDamaged(fsys durable.FS, dir string) (*Store, error) {
	f := newFiles(fsys, dir, true)
	f.inventMarkers(dir)
	return open(f)
}

func open(f *files) (*Store, error) {
	s := &Store{files: f, dir: f.dir}
	if err := s.load(); err != nil {
		_ = s.Close() // the first error matters
		return nil, err
	}
	return s, nil
}

func (s *Store) load() error {
	names, err := s.files.List(s.dir)
	if err != nil {
		return classify("list the journal", s.dir, err)
	}
	// A settling on a live node may remove tables meanwhile. So every listed table
	// is opened before Pebble reads the manifest, and every table of the manifest
	// after it. If one has vanished it is not needed, or Pebble reports it.
	for _, n := range names {
		if isTable(n) {
			_, _ = s.files.Open(path.Join(s.dir, n))
		}
	}
	if err := s.files.check(s.dir, names); err != nil {
		return err
	}
	err = s.files.fault.run("open the journal", s.dir, func() (err error) {
		o := options(s.files)
		o.ErrorIfNotExists = true
		if s.db, err = pebble.Open(s.dir, o); err != nil {
			return openError(s.dir, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	tables, err := s.Tables()
	if err != nil {
		return err
	}
	for _, n := range tables {
		name := path.Join(s.dir, n)
		if _, err := s.files.Open(name); err != nil {
			return classify("open a table of the journal", name, err)
		}
	}
	s.last, err = s.newest()
	return err
}

// Tables returns the names of the tables that records are read from.
func (s *Store) Tables() (names []string, err error) {
	levels, err := s.db.SSTables()
	if err != nil {
		return nil, classify("list the journal's tables", s.dir, err)
	}
	for _, level := range levels {
		for _, t := range level {
			names = append(names, fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum)))
		}
	}
	return names, nil
}

// openError classifies an error of Pebble's open. An error of the disk stays one;
// any other is about the content.
func openError(dir string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) && !errors.Is(err, fs.ErrNotExist) {
		return classify("open the journal", dir, err)
	}
	return errs.Corrupt(dir, 0, err, "open the journal")
}

// newest returns the newest record's seq, 0 if there is none.
func (s *Store) newest() (seq uint64, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{UpperBound: firstSnapshot()})
	if err != nil {
		return 0, classify("read the newest settled record", s.dir, err)
	}
	if it.Last() {
		seq, err = seqOf(it.Key())
	}
	if err := cmp.Or(err, it.Error(), it.Close()); err != nil {
		return 0, errs.At(classify("read the newest settled record", s.dir, err), s.dir, 0)
	}
	return seq, nil
}

// Last returns the seq of the newest record, 0 if there is none.
func (s *Store) Last() uint64 { return s.last }

// Record returns a copy of a record's bytes, unchecked. If there is none the error
// is errs.ErrNotFound.
func (s *Store) Record(seq uint64) ([]byte, error) {
	raw, err := s.get(recordKey(seq))
	if err != nil {
		return nil, errs.At(err, s.dir, seq)
	}
	return raw, nil
}

func (s *Store) get(key []byte) ([]byte, error) {
	val, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, &errs.Error{Kind: errs.ErrNotFound, Path: s.dir, Detail: "read what has settled", Err: err, Next: errs.NextSalvage}
	}
	if err != nil {
		return nil, classify("read what has settled", s.dir, err)
	}
	out := append([]byte(nil), val...)
	return out, closer.Close()
}

// Each calls do for the records that exist from from to to, both included, in
// order and unchecked, until do returns false. The caller detects gaps. The bytes
// are valid during the call.
func (s *Store) Each(from, to uint64, do func(seq uint64, raw []byte) bool) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(from), UpperBound: recordKey(to + 1)})
	if err != nil {
		return errs.At(classify("read records", s.dir, err), s.dir, from)
	}
	at := from
	for ok := it.First(); ok; ok = it.Next() {
		if at, err = seqOf(it.Key()); err != nil {
			break
		}
		var raw []byte
		if raw, err = it.ValueAndErr(); err != nil || !do(at, raw) {
			break
		}
	}
	if err := cmp.Or(err, it.Error(), it.Close()); err != nil {
		return errs.At(classify("read records", s.dir, err), s.dir, at)
	}
	return nil
}

// Snapshots returns the seqs of the records that have a snapshot, ascending.
func (s *Store) Snapshots() (seqs []uint64, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: firstSnapshot()})
	if err != nil {
		return nil, classify("list the snapshots", s.dir, err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var seq uint64
		seq, err = seqOf(bytes.TrimPrefix(it.Key(), firstSnapshot()))
		seqs = append(seqs, seq)
	}
	if err := cmp.Or(err, it.Error(), it.Close()); err != nil {
		return nil, errs.At(classify("list the snapshots", s.dir, err), s.dir, 0)
	}
	return seqs, nil
}

// Snapshot returns the snapshot at a record. If there is none the error is errs.ErrNotFound.
func (s *Store) Snapshot(seq uint64) ([]byte, error) {
	data, err := s.get(snapshotKey(seq))
	if err != nil {
		return nil, errs.At(err, s.dir, seq)
	}
	return data, nil
}

// Close releases the store. Iterations must have ended.
func (s *Store) Close() error {
	var err error
	if s.db != nil {
		db := s.db
		s.db = nil
		err = s.files.fault.run("close the journal", s.dir, db.Close)
	}
	s.files.unpin()
	return err
}

// Snapshot is the caller's data at record Seq.
type Snapshot struct {
	Seq  uint64
	Data []byte
}
