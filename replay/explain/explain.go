package explain

import (
	"context"
	"fmt"
	"slices"

	"github.com/autonomyops/edged/replay"
)

// Options select what is explained.
type Options struct {
	// Epoch, if set, is the only epoch that is explained.
	Epoch *uint64
	// Progress is called from time to time with the number of records read, and
	// their total.
	Progress func(done, total uint64)
	// Flagged, if set, is called for each record that raises a flag.
	Flagged func(code string, seq uint64)
	// Ran, if set, is called for each run, in order, after its last record.
	Ran func(Run)
}

// Run is one run of the gate or of an operator's command.
type Run struct {
	First, Last Moment
	Gate        bool // it is a boot
	Ended       bool // the boot ended; a failed boot also did
	ExitCode    int  // of a failed boot
}

// Explain returns the report on the history of src. Records that cannot be read
// are in the report. The error is replay.ErrNoPoint if the history does not reach
// the epoch, or that of ctx.
func Explain(ctx context.Context, src replay.History, opt Options) (*Report, error) {
	from, to := src.First(), src.Tip().Seq
	if opt.Epoch != nil {
		from, to = around(src, *opt.Epoch)
	}
	b := &builder{report: &Report{Journal: src.ID(), Epochs: []*Epoch{}, Unreadable: []Unreadable{}}, opt: opt, order: replay.NewOrder(from)}
	for p, err := range replay.Onward(ctx, src, from, to) {
		switch {
		case err != nil:
			return nil, err
		case p.Err != nil:
			due := b.order.Due()
			b.unreadable(due, due+(p.Last-p.Seq), p.Err, p.Final)
			continue
		}
		if p.Seq%1024 == 0 && opt.Progress != nil {
			opt.Progress(p.Seq-from, to-from+1)
		}
		b.add(p.Raw)
	}
	if b.epoch != nil {
		b.finish()
	}
	if opt.Epoch != nil {
		return only(src, b.report, *opt.Epoch)
	}
	return b.report, nil
}

// around returns the first and last record needed to explain epoch n: from the
// beginning of the epoch before, which sets the baseline to compare with, to the
// record that ends epoch n. It returns all records if one of those in between
// cannot be read, if the epochs are out of order, or if the epoch is not found:
// one edited number could hide it.
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

// only removes all other epochs from a report. The epoch may occur several times,
// if a record of another epoch is in between.
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
