package journal

import (
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
func Salvage(fsys durable.FS, l Layout, each func(Record) error) (Prefix, error) {
	r := reader{l: l, s: newStore(fsys, true)}
	var p Prefix
	if err := r.s.audit(l.Dir); err != nil {
		p.Broken = err
		r.s.inventMarker(l.Dir)
	}
	if err := r.open(); err != nil {
		if p.Broken == nil {
			p.Broken = err
		}
		return p, nil
	}
	defer r.closeDB() //nolint:errcheck // opened for reading only
	first, err := r.get(recordKey(1))
	if err == nil {
		var rec Record
		if err = decodeInto(first, &rec); err == nil {
			r.text = rec.Journal
			r.id, err = uuid.Parse(rec.Journal)
		}
	}
	if err != nil {
		if p.Broken == nil {
			p.Broken = corrupt(l.Dir, 1, err, "read the first record")
		}
		return p, nil
	}
	p.Journal = r.text
	last, err := r.lastKey()
	if err != nil {
		last = maxInt // where it ends is not known: read until a record cannot be
		if p.Broken == nil {
			p.Broken = err
		}
	}
	// One by one: an iterator looks into every table at once and stops at the
	// first damaged one, whichever records that one holds.
	var rec Record
	for seq := uint64(1); seq <= last; seq++ {
		raw, err := r.get(recordKey(seq))
		if err == nil {
			err = r.decode(seq, raw, &rec)
		}
		if err == nil && rec.Prev != p.Tip.Hash {
			err = brokenLink(l.Dir, seq)
		}
		if err != nil {
			if p.Broken == nil {
				p.Broken = placed(ioError("read a record", l.Dir, err), l.Dir, seq)
			}
			return p, nil
		}
		if err := each(rec); err != nil {
			return p, fmt.Errorf("salvage record %d: %w", seq, err)
		}
		p.Tip = Tip{seq, rec.Hash}
	}
	if val, err := r.get([]byte(headKey)); p.Broken == nil {
		_, head, bad := parseHeadValue(val)
		if err != nil || bad != nil || head != p.Tip {
			p.Broken = corrupt(l.Dir, p.Tip.Seq, nil, "the head does not name the newest record")
		}
	}
	return p, nil
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
