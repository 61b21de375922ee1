package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/autonomyops/edged/replay"
)

// Options choose what is told.
type Options struct {
	// Epoch, if set, tells that one alone.
	Epoch *uint64
	// Progress is told, now and then, how many of how many records were read.
	Progress func(done, total uint64)
}

// Explain tells the history of src. What cannot be read is in the report; the
// error is replay.ErrNoPoint for an epoch that the history does not reach, or
// that of ctx.
func Explain(ctx context.Context, src replay.History, opt Options) (*Report, error) {
	from, to := src.First(), src.Tip().Seq
	if opt.Epoch != nil {
		from, to = around(src, *opt.Epoch)
	}
	t := &teller{report: &Report{Journal: src.ID(), Epochs: []*Epoch{}, Unreadable: []Unreadable{}}, order: replay.NewOrder(from)}
	for p, err := range replay.Onward(ctx, src, from, to) {
		switch {
		case err != nil:
			return nil, err
		case p.Err != nil:
			due := t.order.Due()
			t.unreadable(due, due+(p.Last-p.Seq), p.Err, p.Final)
			continue
		}
		if p.Seq%1024 == 0 && opt.Progress != nil {
			opt.Progress(p.Seq-from, to-from+1)
		}
		t.tell(p.Raw)
	}
	if t.epoch != nil {
		t.finish()
	}
	if opt.Epoch != nil {
		return only(src, t.report, *opt.Epoch)
	}
	return t.report, nil
}

// around gives the records that an epoch's story takes: from the beginning of
// the epoch before it, whose first record sets the baseline to compare with,
// to the one that ended it. Where a record in the way cannot be read, or the
// epochs do not follow one another, it is all of them; and where none is found,
// because one edited number could hide it.
func around(src replay.History, n uint64) (from, to uint64) {
	first, last := src.First(), src.Tip().Seq
	from, to, err := replay.Epochs(src, n)
	if err != nil || from > to {
		return first, last
	}
	if from > first {
		before, err := src.Record(from - 1)
		if err == nil {
			from, _, err = replay.Epochs(src, before.Epoch)
		}
		if err != nil {
			return first, last
		}
	}
	return from, min(to+1, last)
}

// only leaves one epoch of a report: all parts of it, where a record of another
// epoch stands in between.
func only(src replay.History, r *Report, n uint64) (*Report, error) {
	r.Epochs = slices.DeleteFunc(r.Epochs, func(e *Epoch) bool { return e.Epoch != n })
	switch {
	case len(r.Epochs) > 0:
	case len(r.Unreadable) > 0:
		return nil, fmt.Errorf("epoch %d is %w: no record that can be read has it", n, replay.ErrNoPoint)
	default:
		return nil, replay.AtEpoch(n).Unreached(src)
	}
	r.First, r.Last, r.Boots = r.Epochs[0].Began, r.Epochs[len(r.Epochs)-1].Last, 0
	for _, e := range r.Epochs {
		r.Boots += e.Boots
	}
	return r, nil
}
