package journal

import (
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A reader on a live node must not lose a table that the gate's compaction
// removes under it, so it opens every table before it believes the manifest,
// and keeps them open: an unlinked file stays readable.

// pinnedFile is one more user of a file that stays open.
type pinnedFile struct{ *openFile }

// Close leaves the pinned file open.
func (pinnedFile) Close() error { return nil }

func (s *store) pin(name string) (vfs.File, error) {
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
func (s *store) pinTables(dir string) error {
	s.pinning = true
	names, err := s.List(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".sst") {
			_, _ = s.Open(s.PathJoin(dir, n))
		}
	}
	return nil
}

// pinVersion opens those tables of the version that was read which pinTables
// did not find, for instance because they are younger.
func (r *reader) pinVersion() error {
	levels, err := r.db.SSTables()
	if err != nil {
		return ioError("list the journal's tables", r.l.Dir, err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			name := r.s.PathJoin(r.l.Dir, fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum)))
			if _, err := r.s.Open(name); err != nil {
				return ioError("open a table of the journal", name, err)
			}
		}
	}
	return nil
}

// unpin closes what pinTables opened.
func (s *store) unpin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.pinned {
		_ = p.f.Close()
		delete(s.pinned, name)
	}
}
