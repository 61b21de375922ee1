package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// verifyTables compares the checksum of every block of every table. Records
// alone do not pass through all of them: a table keeps old heads and indexes
// that no reader needs, and one that a compaction replaced is kept for a while
// whole. Damage there costs no record, and is a warning; of a table that counts
// it is an error, for the next compaction will read it.
func (v *View) verifyTables(ctx context.Context, rep *Report) error {
	counts := map[string]bool{}
	levels, err := v.db.SSTables()
	if err != nil {
		return ioError("list the journal's tables", v.l.Dir, err)
	}
	for _, tables := range levels {
		for _, t := range tables {
			counts[fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum))] = true
		}
	}
	names, err := v.s.List(v.l.Dir)
	if err != nil {
		return ioError("list the journal", v.l.Dir, err)
	}
	for _, n := range names {
		if !strings.HasSuffix(n, ".sst") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("verify the journal's tables: %w", err)
		}
		switch err := v.s.verifyTable(v.s.PathJoin(v.l.Dir, n)); {
		case err == nil:
		case counts[n]:
			rep.add(FindingOf(err))
		case errors.Is(err, fs.ErrNotExist): // removed since it was listed
		default:
			f := FindingOf(err)
			f.Severity = SeverityWarning
			f.Detail += " (no record is read from this table any more)"
			rep.add(f)
		}
	}
	return nil
}

// verifyTable reads every block of a table; Pebble compares the checksums.
func (s *store) verifyTable(path string) (err error) {
	defer told("verify a table of the journal", path, &err)
	t, err := s.openTable(path)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.r.ValidateBlockChecksums(); err != nil {
		return ioError("verify a table of the journal", path, err)
	}
	return nil
}
