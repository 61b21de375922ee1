package explain

import (
	"context"
	"errors"
	"fmt"

	"github.com/autonomyops/edged/journal"
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
		var err error
		if from, to, err = around(src, *opt.Epoch); err != nil {
			return nil, err
		}
	}
	t := &teller{report: &Report{Journal: src.ID(), Epochs: []*Epoch{}, Unreadable: []Unreadable{}}, order: replay.NewOrder(from)}
	for p, err := range replay.Onward(ctx, src, from, to) {
		switch {
		case err != nil:
			return nil, err
		case p.Err != nil:
			due := t.order.Due()
			t.unreadable(due, due+(p.Last-p.Seq), p.Err, p.Rest)
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
		return only(t.report, *opt.Epoch)
	}
	return t.report, nil
}

// around gives the records that an epoch's story takes: from the beginning of
// the epoch before it, whose first record sets the baseline to compare with,
// to the one that ended it. Where a record in the way cannot be read, it is
// all of them.
func around(src replay.History, n uint64) (from, to uint64, err error) {
	first, last := src.First(), src.Tip().Seq
	from, to, err = replay.Epochs(src, n)
	if isUnreadable(err) {
		return first, last, nil
	}
	if err != nil {
		return 0, 0, err
	}
	if from > to {
		return 0, 0, replay.AtEpoch(n).Unreached(src)
	}
	if from > first {
		before, err := src.Record(from - 1)
		if err == nil {
			from, _, err = replay.Epochs(src, before.Epoch)
		}
		if err != nil {
			return first, last, nil
		}
	}
	return from, min(to+1, last), nil
}

func isUnreadable(err error) bool {
	var damaged *journal.Error
	return errors.As(err, &damaged)
}

// only leaves one epoch of a report.
func only(r *Report, n uint64) (*Report, error) {
	for _, e := range r.Epochs {
		if e.Epoch != n {
			continue
		}
		r.Epochs = []*Epoch{e}
		r.First, r.Last = e.Began, e.Last
		r.Boots = e.Boots
		return r, nil
	}
	return nil, fmt.Errorf("epoch %d is %w: no record that can be read has it", n, replay.ErrNoPoint)
}
