package journal

import (
	"errors"
	"iter"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/internal/store"
)

// maxSettledSnapshot is the largest snapshot that is kept in Pebble, in bytes.
const maxSettledSnapshot = 4 << 20

// Snapshot is the caller's data at record Seq. Nothing here vouches for it: the
// caller compares its hash with the one in a record of the chain.
type Snapshot = store.Snapshot

// Snapshots yields the snapshots at records up to atOrBefore, the newest first.
// The snapshot of the base is in the tail and in Pebble; the tail's comes first.
// Pebble is not opened before a snapshot of its own is needed. A missing one is
// skipped.
func (v *View) Snapshots(atOrBefore uint64) iter.Seq2[Snapshot, error] {
	return func(yield func(Snapshot, error) bool) {
		base := v.tail.header.base.Seq
		if v.snap != nil && base <= min(atOrBefore, v.tip.Seq) && !yield(Snapshot{Seq: base, Data: v.snap}, nil) {
			return
		}
		if v.cut.Seq == 0 {
			return // nothing has settled
		}
		s, err := v.store()
		if err != nil {
			yield(Snapshot{}, err)
			return
		}
		seqs, err := s.Snapshots()
		if err != nil {
			yield(Snapshot{}, err)
			return
		}
		for i := len(seqs) - 1; i >= 0; i-- {
			if seqs[i] > min(atOrBefore, v.tip.Seq) {
				continue
			}
			data, err := s.Snapshot(seqs[i])
			if errors.Is(err, errs.ErrNotFound) {
				continue
			}
			if !yield(Snapshot{Seq: seqs[i], Data: data}, err) || err != nil {
				return
			}
		}
	}
}
