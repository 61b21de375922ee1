package journal

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/autonomyops/edged/internal/errs"
)

// Source returns the view's records for one Verify.
func (v *View) Source() RecordSource { return &viewSource{v: v} }

// viewSource hands out segments of the history; each worker reads its own, so
// that reading is shared among the cores as hashing is.
type viewSource struct {
	v    *View
	next atomic.Int64
	mu   sync.Mutex
	bad  []Finding
}

func (s *viewSource) expects() string { return s.v.text }

func (s *viewSource) fill(seg *segment, o *VerifyOptions) bool {
	index := int(s.next.Add(1)) - 1
	from := uint64(index)*segmentRecords + 1
	if from > s.v.tip.Seq {
		return false
	}
	seg.reset(index)
	if err := s.read(seg, o, from, min(from+segmentRecords-1, s.v.tip.Seq)); err != nil {
		at := from
		if seg.n > 0 {
			at = seg.last.seq + 1
		}
		s.mu.Lock()
		s.bad = append(s.bad, FindingOf(errs.At(errs.Of("verify the journal", s.v.l.Dir, err), s.v.l.Dir, at)))
		s.mu.Unlock()
	}
	return true
}

func (s *viewSource) read(seg *segment, o *VerifyOptions, from, to uint64) error {
	return s.v.each(from, to, func(seq uint64, raw []byte) bool {
		seg.check(o, seq, raw)
		return true
	})
}

// conclude compares the records that were read with the tip and the head file.
func (s *viewSource) conclude(r *Report) {
	v := s.v
	r.Findings = append(r.Findings, s.bad...)
	if r.Head.Seq == v.tip.Seq && r.Head.Hash != v.tip.Hash {
		r.add(Finding{SeverityError, CodeHashMismatch, v.tip.Seq, "the newest record's hash is " + r.Head.Hash.String() + ", but the head names " + v.tip.Hash.String()})
	} else if r.Head.Seq < v.tip.Seq && len(s.bad) == 0 {
		r.add(Finding{SeverityError, CodeGap, r.Head.Seq + 1, "the newest records are missing"})
	}
	if !v.end.acceptable {
		r.add(Finding{SeverityError, CodeTornTail, v.tip.Seq + uint64(v.unacked) + 1,
			"the newest write to " + v.tail.path + " was cut short and not acknowledged; the next boot overwrites it"})
	}
	if v.head.Path == "" {
		return
	}
	bad := 0
	for _, slot := range v.head.Slots {
		switch slot.State {
		case SlotBad:
			bad++
		case SlotNewer:
			r.add(Finding{SeverityError, CodeNewer, 0, v.head.Path + " was written by a newer version"})
		case SlotGood:
			ref := Ref{Path: v.head.Path, Journal: slot.Journal, Seq: slot.Tip.Seq, Hash: slot.Tip.Hash}
			if err := v.resolve(ref); err != nil {
				f := FindingOf(err)
				if errors.Is(err, ErrForeign) || errors.Is(err, ErrRewritten) || errors.Is(err, ErrRolledBack) {
					f.Code = CodeHeadMismatch
				}
				r.add(f)
			}
		}
	}
	newest, ok := v.head.Newest()
	switch {
	case !v.head.Present:
		r.add(Finding{SeverityError, CodeHeadMismatch, 0, v.head.Path + " is absent"})
	case bad == 2:
		r.add(Finding{SeverityError, CodeHeadMismatch, 0, "both slots of " + v.head.Path + " are bad"})
	case bad == 1:
		r.add(Finding{SeverityWarning, CodeHeadSlot, 0, "one slot of " + v.head.Path + " is bad"})
	}
	if ok && newest.Tip.Seq < v.tip.Seq+uint64(v.unacked) {
		r.add(Finding{SeverityWarning, CodeHeadBehind, newest.Tip.Seq + 1, v.head.Path + " is behind the journal: the records after it were not acknowledged"})
	}
}

// verifyTables compares the checksum of every block of every table. Damage in a
// table that no record is read from is a warning.
func (s *viewSource) verifyTables(ctx context.Context, rep *Report) error {
	settled, err := s.v.store()
	if err != nil {
		if len(s.bad) == 0 { // otherwise the records' reader has reported it
			rep.add(FindingOf(err))
		}
		return nil
	}
	return settled.VerifyTables(ctx, func(err error, counts bool) {
		f := FindingOf(err)
		if !counts {
			f.Severity = SeverityWarning
			f.Detail += " (no record is read from this table)"
		}
		rep.add(f)
	})
}
