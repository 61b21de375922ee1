package store

import (
	"fmt"
	"path"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A reader on a live node must not lose a table that the gate's compaction
// removes under it, so it opens every table before it believes the manifest,
// and keeps them open: an unlinked file stays readable.

// pinnedFile is one more user of a file that stays open.
type pinnedFile struct{ *openFile }

// Close leaves the pinned file open.
func (pinnedFile) Close() error { return nil }

func (s *files) pin(name string) (vfs.File, error) {
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	p := &openFile{s: s, f: f, name: name}
	s.mu.Lock()
	s.pinned[name] = p
	s.mu.Unlock()
	return &pinnedFile{openFile: p}, nil
}

// pinTables opens every table in dir. Those that vanish meanwhile are not
// needed, or are missed when the manifest is read.
func (s *files) pinTables(dir string) error {
	s.pinning = true
	names, err := s.List(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if isTable(n) {
			_, _ = s.Open(s.PathJoin(dir, n))
		}
	}
	return nil
}

// pinVersion opens those tables of the version that was read which pinTables
// did not find, for instance because they are younger.
func (s *Store) pinVersion() error {
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
	return nil
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

// unpin closes what pinTables opened.
func (s *files) unpin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.pinned {
		_ = p.f.Close()
		delete(s.pinned, name)
	}
}
