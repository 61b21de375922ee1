package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// reader is what View and Writer share: reading an open journal.
type reader struct {
	l    Layout
	s    *store
	db   *pebble.DB
	id   uuid.UUID
	text string // id as text
	tip  Tip
}

// ID is the journal's id, a UUIDv4 fixed by its first record.
func (r *reader) ID() string { return r.text }

// Tip is the newest record.
func (r *reader) Tip() Tip { return r.tip }

// load reads the head that Pebble holds and checks it against the newest
// record.
func (r *reader) load() error {
	if err := r.loadHead(); err != nil {
		return err
	}
	last, err := r.lastKey()
	if err != nil {
		return err
	}
	if last != r.tip.Seq {
		return corrupt(r.l.Dir, r.tip.Seq, nil, "read the newest record: the head names %d, the last one is %d", r.tip.Seq, last)
	}
	rec, err := r.Record(last)
	if err != nil {
		return err
	}
	if rec.Hash != r.tip.Hash {
		return corrupt(r.l.Dir, last, nil, "read the newest record: its hash is %s, the head names %s", rec.Hash, r.tip.Hash)
	}
	return nil
}

// loadHead reads the head that Pebble holds.
func (r *reader) loadHead() error {
	val, err := r.get([]byte(headKey))
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return corrupt(r.l.Dir, 0, nil, "read the journal's head: it holds none")
		}
		return ioError("read the journal's head", r.l.Dir, err)
	}
	if r.id, r.tip, err = parseHeadValue(val); err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Path = r.l.Dir
			return e
		}
		return corrupt(r.l.Dir, 0, err, "read the journal's head")
	}
	r.text = r.id.String()
	return nil
}

// get copies a value.
func (r *reader) get(key []byte) ([]byte, error) {
	val, closer, err := r.db.Get(key)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), val...)
	return out, closer.Close()
}

// lastKey finds the newest record's seq, 0 if there is none.
func (r *reader) lastKey() (uint64, error) {
	it, err := r.db.NewIter(&pebble.IterOptions{UpperBound: firstMeta()})
	if err != nil {
		return 0, ioError("read the newest record", r.l.Dir, err)
	}
	var seq uint64
	for ok := it.Last(); ok; ok = it.Prev() {
		if k := it.Key(); len(k) == 8 {
			seq = binary.BigEndian.Uint64(k)
			break
		}
	}
	err = errors.Join(it.Error(), it.Close())
	if err != nil {
		return 0, ioError("read the newest record", r.l.Dir, err)
	}
	return seq, nil
}

// Record reads one record and checks that it is canonical, of this journal
// and in its place; its links are not followed. ErrNotFound beyond the tip.
func (r *reader) Record(seq uint64) (Record, error) {
	if seq == 0 || seq > r.tip.Seq {
		return Record{}, &Error{Kind: ErrNotFound, Path: r.l.Dir, Seq: seq, Detail: "read a record",
			Next: fmt.Sprintf("ask for one from 1 to %d", r.tip.Seq)}
	}
	raw, err := r.get(recordKey(seq))
	if errors.Is(err, pebble.ErrNotFound) {
		return Record{}, corrupt(r.l.Dir, seq, nil, "read a record: there is a gap")
	}
	if err != nil {
		return Record{}, placed(ioError("read a record", r.l.Dir, err), r.l.Dir, seq)
	}
	var rec Record
	if err := r.belongs(seq, &rec, decodeInto(raw, &rec)); err != nil {
		return Record{}, err
	}
	return rec, nil
}

// belongs checks that rec, decoded with err, is the record that stands at seq.
func (r *reader) belongs(seq uint64, rec *Record, err error) error {
	if err != nil {
		return placed(err, r.l.Dir, seq)
	}
	if rec.Journal != r.text {
		return &Error{Kind: ErrForeign, Path: r.l.Dir, Seq: seq, Next: nextSalvage,
			Detail: "read a record: it names journal " + rec.Journal}
	}
	if rec.Seq != seq {
		return corrupt(r.l.Dir, seq, nil, "read a record: it says that it is record %d", rec.Seq)
	}
	return nil
}

// placed says where an error of decoding was met.
func placed(err error, path string, seq uint64) error {
	var e *Error
	if errors.As(err, &e) {
		at := *e
		at.Seq = seq
		if at.Path == "" {
			at.Path = path
		}
		return &at
	}
	return err
}

// RawRecords streams the stored bytes of records from to to, both included,
// in order, with nothing checked but that none is missing. to beyond the tip
// means the tip. The bytes are valid until the next step.
func (r *reader) RawRecords(from, to uint64) iter.Seq2[RawRecord, error] {
	return func(yield func(RawRecord, error) bool) {
		from, to := max(from, 1), min(to, r.tip.Seq)
		if from > to {
			return
		}
		it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(from), UpperBound: recordKey(to + 1)})
		if err != nil {
			yield(RawRecord{}, placed(ioError("read records", r.l.Dir, err), r.l.Dir, from))
			return
		}
		defer it.Close() //nolint:errcheck // it.Error is looked at
		want := from
		for ok := it.First(); ok; ok = it.Next() {
			k := it.Key()
			if len(k) != 8 {
				continue
			}
			seq := binary.BigEndian.Uint64(k)
			if seq != want {
				break
			}
			raw, err := it.ValueAndErr()
			if err != nil {
				break
			}
			if !yield(RawRecord{Seq: seq, Raw: raw}, nil) {
				return
			}
			want++
		}
		if err := it.Error(); err != nil {
			yield(RawRecord{}, placed(ioError("read records", r.l.Dir, err), r.l.Dir, want))
		} else if want <= to {
			yield(RawRecord{}, corrupt(r.l.Dir, want, nil, "read records: there is a gap"))
		}
	}
}

// RawRecord is a record's stored bytes and its place.
type RawRecord struct {
	Seq uint64
	Raw []byte
}

// Records streams records from to to, both included, each checked as by
// Record and linked to the one before it, the first included. to beyond the
// tip means the tip. Raw and Data are valid until the next step. After an
// error the stream ends.
func (r *reader) Records(from, to uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		from = max(from, 1)
		var prev Hash
		if from > 1 && from <= r.tip.Seq {
			before, err := r.Record(from - 1)
			if err != nil {
				yield(Record{}, err)
				return
			}
			prev = before.Hash
		}
		var d decoder
		for raw, err := range r.RawRecords(from, to) {
			var rec *Record
			if err == nil {
				rec, err = d.record(raw.Raw)
				err = r.belongs(raw.Seq, rec, err)
			}
			if err == nil && rec.Prev != prev {
				err = brokenLink(r.l.Dir, raw.Seq)
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			prev = rec.Hash
			if !yield(*rec, nil) {
				return
			}
		}
	}
}
