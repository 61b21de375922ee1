package journal

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
)

// Prefix is what Salvage could verify of a damaged journal.
type Prefix struct {
	Journal string // "" if not even record 1 could be read
	Tip     Tip    // of the last record that verifies; zero if there is none
	Broken  error  // why it ends there; nil if the whole journal verifies
}

// Salvage reads the longest verifiable prefix of a journal that OpenView may
// refuse, and calls each for its records in order; Raw and Data are valid
// during the call. It changes nothing. The error is that of each; damage is in
// the Prefix.
//
// Pebble gives what it can; a record that it cannot give, and all of them
// where it refuses to open, are looked for in each table and log by itself.
// One that verifies is the one that was written, wherever it was found.
func Salvage(fsys durable.FS, l Layout, each func(Record) error) (Prefix, error) {
	s := salvager{reader: reader{l: l, s: newStore(fsys, true)}}
	defer s.close()
	if err := s.s.audit(l.Dir); err != nil {
		s.broke(err)
		s.s.inventMarker(l.Dir)
	}
	if err := s.open(); err != nil {
		s.broke(err)
	}
	for seq, ok := uint64(1), s.begin(); ok; ok = s.find(seq) {
		if err := each(s.rec); err != nil {
			return s.found, fmt.Errorf("salvage record %d: %w", seq, err)
		}
		s.found.Tip = Tip{seq, s.rec.Hash}
		seq++
	}
	if s.found.Broken == nil {
		s.broke(s.end())
	}
	return s.found, nil
}

// salvager reads a journal that may be damaged anywhere.
type salvager struct {
	reader
	files *remains // nil until they are needed
	found Prefix
	rec   Record // the last one found
}

// begin finds record 1. A table of another journal may stand in the place of
// one of this journal's own, and must not be taken for its beginning: which
// journal it is the head file says, or else what Pebble holds, or else, where
// neither can be read, the record itself.
func (s *salvager) begin() bool {
	var named []string
	if h, err := readHead(s.s.fs, s.l.Head); err == nil {
		if slot, ok := h.Newest(); ok {
			named = append(named, slot.Journal)
		}
	}
	vouched := len(named) > 0
	if s.db != nil && s.loadHead() == nil {
		named = append(named, s.text)
	}
	if !vouched {
		named = append(named, "")
	}
	for _, s.text = range named {
		if s.find(1) {
			return true
		}
	}
	return false
}

// broke keeps the first damage that was met.
func (s *salvager) broke(err error) {
	if s.found.Broken == nil {
		s.found.Broken = err
	}
}

// find reads the record that follows the last one.
func (s *salvager) find(seq uint64) bool {
	if s.db != nil {
		// One by one: an iterator looks into every table at once and stops at
		// the first damaged one, whichever records that one holds.
		raw, err := s.get(recordKey(seq))
		if errors.Is(err, pebble.ErrNotFound) && s.found.Broken == nil && s.ends(seq) {
			return false // where nothing is wrong, nothing is looked for behind the end
		}
		if err == nil {
			err = s.accept(seq, raw)
		}
		if err == nil {
			return true
		}
		s.broke(placed(ioError("read a record", s.l.Dir, err), s.l.Dir, seq))
	}
	if s.files == nil {
		var err error
		if s.files, err = s.s.openRemains(s.l.Dir); err != nil {
			s.broke(err)
		}
	}
	return s.files.record(seq, func(raw []byte) error { return s.accept(seq, raw) })
}

// ends reports whether the journal says itself that it ends before seq.
func (s *salvager) ends(seq uint64) bool {
	last, err := s.lastKey()
	return err == nil && last < seq
}

// accept takes raw as record seq if it is one that follows the last.
func (s *salvager) accept(seq uint64, raw []byte) (err error) {
	rec := &s.rec // nothing reads it after a refusal
	if err := decodeInto(raw, rec); err != nil {
		return placed(err, s.l.Dir, seq)
	}
	if s.text == "" {
		s.text = rec.Journal
		defer func() {
			if err != nil {
				s.text = "" // not from what was refused
			}
		}()
	}
	if err := s.belongs(seq, rec, nil); err != nil {
		return err
	}
	if rec.Prev != s.found.Tip.Hash {
		return brokenLink(s.l.Dir, seq)
	}
	s.found.Journal = s.text
	return nil
}

// end compares the last record with the head that Pebble holds.
func (s *salvager) end() error {
	val, err := s.get([]byte(headKey))
	_, head, bad := parseHeadValue(val)
	if err != nil || bad != nil || head != s.found.Tip {
		return corrupt(s.l.Dir, s.found.Tip.Seq, nil, "the head does not name the newest record")
	}
	return nil
}

func (s *salvager) close() {
	if s.files != nil {
		s.files.close()
	}
	_ = s.closeDB() // opened for reading only
}

// inventMarker has the newest manifest found where its marker is missing.
func (s *store) inventMarker(dir string) {
	names, err := s.List(dir)
	if err != nil || newestMarker(names, "manifest") != "" {
		return
	}
	slices.Sort(names) // numbers have six digits or more, which grow with them
	for _, n := range names {
		if len(n) > 9 && n[:9] == "MANIFEST-" {
			s.invented = append(s.invented[:0], "marker.manifest.000001."+n)
		}
	}
	if newestMarker(names, "format-version") == "" {
		s.invented = append(s.invented, fmt.Sprintf("marker.format-version.000001.%03d", pebble.FormatMajorVersion(formatVersion)))
	}
}

// ResetHead writes a new head file for a journal that was put in place of
// another, for instance by a salvage. It forgets what the old one vouched for.
func ResetHead(fsys durable.FS, l Layout, journalID string, t Tip) error {
	id, err := uuid.Parse(journalID)
	if err != nil {
		return invalid(t.Seq, err, "reset the head file")
	}
	return writeHead(fsys, l, id, t)
}

// ReadHead reads the head file alone, for what a missing journal once held.
func ReadHead(fsys durable.FS, l Layout) (HeadReport, error) { return readHead(fsys, l.Head) }
