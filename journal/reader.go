package journal

import (
	"errors"
	"fmt"
	"iter"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// Record reads one record and checks that it is canonical, belongs to this
// journal and has this seq. It does not check the links. Beyond the tip the
// error is errs.ErrNotFound.
func (v *View) Record(seq uint64) (record.Record, error) {
	if seq == 0 || seq > v.tip.Seq {
		return record.Record{}, &errs.Error{Kind: errs.ErrNotFound, Path: v.l.Dir, Seq: seq, Detail: "read a record",
			Next: fmt.Sprintf("ask for a record from 1 to %d", v.tip.Seq)}
	}
	if seq > v.cut.Seq {
		return v.frames[seq-v.cut.Seq-1].rec, nil
	}
	s, err := v.store()
	if err != nil {
		return record.Record{}, err
	}
	raw, err := s.Record(seq)
	if errors.Is(err, errs.ErrNotFound) {
		return record.Record{}, errs.Corrupt(v.l.Dir, seq, nil, "read a record: there is a gap")
	}
	if err != nil {
		return record.Record{}, err
	}
	var rec record.Record
	if err := belongs(v.l.Dir, v.text, seq, &rec, rec.Decode(raw)); err != nil {
		return record.Record{}, err
	}
	return rec, nil
}

// belongs checks that rec, decoded with the result err, is record seq of the
// journal with this id, or of any journal if id is "". dir is the journal's
// directory.
func belongs(dir, id string, seq uint64, rec *record.Record, err error) error {
	switch {
	case err != nil:
		return errs.At(err, dir, seq)
	case id != "" && rec.Journal != id:
		return &errs.Error{Kind: ErrForeign, Path: dir, Seq: seq, Next: errs.NextSalvage,
			Detail: "read a record: it names journal " + rec.Journal}
	case rec.Seq != seq:
		return errs.Corrupt(dir, seq, nil, "read a record: it says that it is record %d", rec.Seq)
	}
	return nil
}

// each calls do for the records that exist from from to to, in order and
// unchecked, until do returns false. The caller detects gaps.
func (v *View) each(from, to uint64, do func(seq uint64, raw []byte) bool) error {
	more := true
	if from <= v.cut.Seq && from <= to {
		s, err := v.store()
		if err != nil {
			return err
		}
		err = s.Each(from, min(to, v.cut.Seq), func(seq uint64, raw []byte) bool {
			more = do(seq, raw)
			return more
		})
		if err != nil {
			return err
		}
	}
	for seq := max(from, v.cut.Seq+1); more && seq <= to && seq-v.cut.Seq <= uint64(len(v.frames)); seq++ {
		more = do(seq, v.frames[seq-v.cut.Seq-1].rec.Raw)
	}
	return nil
}

// RawRecords streams the stored bytes of records from to to, both included, in
// order. It checks only that none is missing. A to beyond the tip means the
// tip. The bytes are valid until the next step.
func (v *View) RawRecords(from, to uint64) iter.Seq2[RawRecord, error] {
	return func(yield func(RawRecord, error) bool) {
		want, to := max(from, 1), min(to, v.tip.Seq)
		stopped := false
		err := v.each(want, to, func(seq uint64, raw []byte) bool {
			if seq != want {
				return false
			}
			want++
			stopped = !yield(RawRecord{Seq: seq, Raw: raw}, nil)
			return !stopped
		})
		switch {
		case stopped:
		case err != nil:
			yield(RawRecord{}, errs.At(err, v.l.Dir, want))
		case want <= to:
			yield(RawRecord{}, errs.Corrupt(v.l.Dir, want, nil, "read records: there is a gap"))
		}
	}
}

// RawRecord is a record's stored bytes and its place.
type RawRecord struct {
	Seq uint64
	Raw []byte
}

// Records streams records from to to, both included. Each is checked as by
// Record, and its link to the record before it is checked too. A to beyond the
// tip means the tip. Raw and Data are valid until the next step. After an error
// the stream ends.
func (v *View) Records(from, to uint64) iter.Seq2[record.Record, error] {
	return func(yield func(record.Record, error) bool) {
		from = max(from, 1)
		var prev record.Hash
		if from > 1 && from <= v.tip.Seq {
			var err error
			if prev, err = v.hashAt(from - 1); err != nil {
				yield(record.Record{}, err)
				return
			}
		}
		var rec record.Record
		for raw, err := range v.RawRecords(from, to) {
			switch {
			case err != nil:
			case raw.Seq > v.cut.Seq:
				rec = v.frames[raw.Seq-v.cut.Seq-1].rec // decoded when the tail was read
			default:
				err = belongs(v.l.Dir, v.text, raw.Seq, &rec, rec.Decode(raw.Raw))
			}
			if err == nil && rec.Prev != prev {
				err = brokenLink(v.l.Dir, raw.Seq)
			}
			if err != nil {
				yield(record.Record{}, err)
				return
			}
			prev = rec.Hash
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// hashAt returns the hash of a record. It does not open Pebble for that of the
// base.
func (v *View) hashAt(seq uint64) (record.Hash, error) {
	if base := v.tail.header.base; seq == base.Seq {
		return base.Hash, nil
	}
	rec, err := v.Record(seq)
	return rec.Hash, err
}

func brokenLink(path string, seq uint64) error {
	return errs.Corrupt(path, seq, nil, "follow the chain: the link to record %d is broken", seq-1)
}
