package journal

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// Prefix is the part of a damaged journal that Salvage could verify.
type Prefix struct {
	Journal string     // "" if not even record 1 could be read
	Tip     record.Tip // the last record that verifies; zero if there is none
	Broken  error      // why it ends there; nil if the whole journal verifies
}

// Salvage reads the longest verifiable prefix of a journal that OpenView may
// refuse, and calls each for its records in order; Raw and Data are valid
// during the call. It changes nothing. The error is that of each; damage is
// reported in the Prefix.
//
// A record that the journal cannot return is looked for in each of Pebble's
// tables and in every frame of the tail, whatever its generation. A record whose
// hash and links verify is genuine, wherever it was found.
func Salvage(fsys durable.FS, l Layout, each func(record.Record) error) (Prefix, error) {
	s := salvager{fs: fsys, l: l}
	defer s.close()
	s.open()
	for seq, ok := uint64(1), s.begin(); ok; ok = s.find(seq) {
		if err := each(s.rec); err != nil {
			return s.found, fmt.Errorf("salvage record %d: %w", seq, err)
		}
		s.found.Tip = record.Tip{Seq: seq, Hash: s.rec.Hash}
		seq++
	}
	return s.found, nil
}

// salvager reads a journal that may be damaged anywhere.
type salvager struct {
	fs      durable.FS
	l       Layout
	id      string // of the journal; "" until it is known
	settled *store.Store
	frames  map[uint64][][]byte // the records of all frames of the tail, by seq
	files   *store.Remains      // nil until needed
	last    uint64              // the newest record of an undamaged journal
	found   Prefix
	rec     record.Record // the last one found
}

// open opens everything that can be opened.
func (s *salvager) open() {
	v, err := OpenView(s.fs, s.l)
	if err == nil {
		_, err = v.CheckHead(nil)
		s.id, s.last = v.ID(), v.tip.Seq
		_ = v.Close() // read-only
	}
	s.broke(err)
	if s.settled, err = store.Open(s.fs, s.l.Dir); err != nil {
		s.broke(err)
		s.settled, _ = store.OpenDamaged(s.fs, s.l.Dir) // its error is the same
	}
	s.frames = map[uint64][][]byte{}
	t, err := openTail(s.fs, s.l)
	if err != nil {
		s.broke(err)
		if t, err = openDamagedTail(s.fs, s.l); err != nil {
			return
		}
	}
	defer t.f.Close() //nolint:errcheck // read-only
	for number := firstFrame; number < t.blocks; number++ {
		if p, raw, ok, err := t.frame(number); err != nil {
			s.broke(err)
		} else if ok {
			s.frames[p.seq] = append(s.frames[p.seq], raw)
		}
	}
}

// openDamagedTail opens a tail whose headers or length are damaged.
func openDamagedTail(fsys durable.FS, l Layout) (*tail, error) {
	f, err := fsys.Open(tailPath(l))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &tail{f: f, path: tailPath(l), slot: -1, blocks: int(min(info.Size, maxTail) / blockSize)}, nil
}

// begin finds record 1. A table of another journal may have been put in the
// place of this journal's own, so its record 1 must not be accepted. The
// journal's id comes from the head file, or else from the tail's header. If
// neither can be read, any record 1 is accepted.
func (s *salvager) begin() bool {
	var named []string
	if h, err := ReadHead(s.fs, s.l); err == nil {
		if slot, ok := h.Newest(); ok {
			named = append(named, slot.Journal)
		}
	}
	vouched := len(named) > 0
	if s.id != "" {
		named = append(named, s.id)
	}
	if !vouched {
		named = append(named, "")
	}
	for _, s.id = range named {
		if s.find(1) {
			return true
		}
	}
	return false
}

// broke records the first damage.
func (s *salvager) broke(err error) {
	if s.found.Broken == nil {
		s.found.Broken = err
	}
}

// find reads the record that follows the last one.
func (s *salvager) find(seq uint64) bool {
	if s.found.Broken == nil && seq > s.last {
		return false // nothing is wrong: the journal ends here
	}
	accept := func(raw []byte) error { return s.accept(seq, raw) }
	if s.settled != nil {
		// One by one: an iterator looks into every table at once and stops at
		// the first damaged one, whichever records that one holds.
		raw, err := s.settled.Record(seq)
		if err == nil {
			err = accept(raw)
		}
		if err == nil {
			return true
		}
		if !errors.Is(err, errs.ErrNotFound) {
			s.broke(err)
		}
	}
	for _, raw := range s.frames[seq] {
		if accept(raw) == nil {
			return true
		}
	}
	if s.files == nil {
		var err error
		if s.files, err = store.OpenRemains(s.fs, s.l.Dir); err != nil {
			s.broke(err)
		}
	}
	return s.files.Record(seq, accept)
}

// accept accepts raw as record seq if it follows the last record.
func (s *salvager) accept(seq uint64, raw []byte) error {
	rec := &s.rec // nothing reads it after a refusal
	if err := belongs(s.l.Dir, s.id, seq, rec, rec.Decode(raw)); err != nil {
		return err
	}
	if rec.Prev != s.found.Tip.Hash {
		return brokenLink(s.l.Dir, seq)
	}
	s.id, s.found.Journal = rec.Journal, rec.Journal
	return nil
}

func (s *salvager) close() {
	if s.files != nil {
		s.files.Close()
	}
	if s.settled != nil {
		_ = s.settled.Close() // opened for reading only
	}
}

// ResetHead writes the head file of a journal that replaces another, for
// instance after a salvage. The old head is lost.
func ResetHead(fsys durable.FS, l Layout, journalID string, t record.Tip) error {
	id, err := uuid.Parse(journalID)
	if err != nil {
		return errs.Invalid(t.Seq, err, "reset the head file")
	}
	return createHead(fsys, l, id, t)
}
