package verify

import (
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// files compares the projections with the state after the last record.
func (d *deep) files() error {
	if d.src.Kind() != history.StateRoot {
		return nil
	}
	state := d.State()
	files, err := projections.Read(d.src.FS())
	if err != nil {
		return err
	}
	if !d.references(files, state) {
		return nil // the files belong to another history
	}
	verdicts, err := files.Judge(state, d.lookup)
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		switch v.Kind {
		case projections.Repair:
			d.bad(CodeProjection, state.Seq, "%s: %s; the next boot writes it again", v.Path, v.Reason)
		case projections.Cause:
			d.bad(CodeProjection, state.Seq, "%s: %s: %s; the next boot reconstructs", v.Path, v.Cause, v.Reason)
		case projections.Foreign:
			d.bad(CodeProjection, state.Seq, "%s: %s; the next boot refuses", v.Path, v.Reason)
		}
	}
	return nil
}

// references reports whether this journal holds every record that an undamaged
// file names.
func (d *deep) references(files projections.Files, s machine.State) bool {
	ok := true
	for _, ref := range projections.MustResolve(projections.References(files), s) {
		if ref.Journal != s.Journal {
			d.bad(CodeReference, ref.Seq, "%s names record %d of journal %s, but this is journal %s", ref.Path, ref.Seq, ref.Journal, s.Journal)
			ok = false
			continue
		}
		seq, hash := ref.Record()
		if ref.Seq <= s.Seq {
			if seq == 0 {
				continue // evidence of record 1 names the record before it: there is none
			}
			if rec, err := d.src.Record(seq); err == nil && rec.Hash.String() == hash {
				continue
			}
		}
		d.bad(CodeReference, ref.Seq, "%s names record %d, which is not in this journal", ref.Path, ref.Seq)
		ok = false
	}
	return ok
}

func (d *deep) lookup(seq uint64) (machine.Event, error) {
	rec, err := d.src.Record(seq)
	if err != nil {
		return machine.Event{}, err
	}
	return replay.Event(rec)
}
