package replay

import (
	"fmt"
	"iter"
	"slices"

	"github.com/autonomyops/edged/machine"
)

// Epoch is what an epoch left for those who come later.
type Epoch struct {
	Number uint64
	// Record is what its evidence is rendered from; zero where the epoch was
	// adopted from software that kept no journal.
	Record machine.EpochRecord
	// Verified holds manifest, signature and key, exact bytes; zero likewise.
	Verified machine.ManifestVerified
	// Adopted is the evidence that was found with an adopted epoch, may be nil.
	Adopted []byte
}

// EpochsUntil gives every epoch that was begun by records up to at, newest
// first, but for those that left nothing: epoch 0 of a first run, and what a
// salvaged journal or an epoch floor only names.
//
// It does not read the whole history. Epochs never go back, so an epoch's
// first record is found by halving; the records of its reconstruction stand
// before that one.
func EpochsUntil(src History, at uint64) iter.Seq2[Epoch, error] {
	return func(yield func(Epoch, error) bool) {
		for hi := at; hi >= src.First() && hi > 0; {
			last, err := src.Record(hi)
			if err != nil {
				yield(Epoch{}, err)
				return
			}
			seq, err := backTo(src, last.Epoch, hi)
			if err != nil {
				yield(Epoch{}, err)
				return
			}
			e, ok, err := epochAt(src, seq, hi)
			if err != nil {
				yield(Epoch{}, fmt.Errorf("gather epoch %d: %w", last.Epoch, err))
				return
			}
			if ok && !yield(e, nil) {
				return
			}
			hi = seq - 1
		}
	}
}

// backTo gives the first record with epoch n, of which hi is one. It doubles
// its steps, so that near ones cost little.
func backTo(src History, n, hi uint64) (uint64, error) {
	lo := src.First()
	for step := uint64(1); hi-lo > step; step *= 2 {
		rec, err := src.Record(hi - step)
		if err != nil {
			return 0, err
		}
		if rec.Epoch < n {
			lo = hi - step + 1
			break
		}
		hi -= step
	}
	return epochFrom(src, n, lo, hi)
}

// epochAt reads the epoch whose first record is seq. An adoption may stand
// behind failures of the same epoch, so it is looked for up to limit.
func epochAt(src History, seq, limit uint64) (Epoch, bool, error) {
	for rec, err := range src.Records(seq, limit) {
		if err != nil {
			return Epoch{}, false, err
		}
		e, err := Event(rec)
		if err != nil {
			return Epoch{}, false, err
		}
		switch p := e.Payload.(type) {
		case machine.EpochRotated:
			found, err := completed(src, e, p)
			return found, err == nil, err
		case machine.LegacyStateAdopted:
			return Epoch{Number: p.BootEpoch, Adopted: p.Evidence}, len(p.Evidence) > 0, nil
		case machine.FingerprintCaptured, machine.UpdateDetected, machine.JournalSalvaged:
			return Epoch{}, false, nil
		}
		// A boot that had not come to an adoption yet.
	}
	return Epoch{}, false, nil
}

// backStretch is how many records are read in one go, backwards.
const backStretch = 64

// completed gathers the epoch that e committed. An epoch is committed under
// the newest manifest verified before it, when each of its operations has been
// applied under that manifest; the newest time of each counts. So reading back
// until all are there gives what folding the whole history gives.
func completed(src History, e machine.Event, p machine.EpochRotated) (Epoch, error) {
	out := Epoch{Number: p.BootEpoch, Record: machine.EpochRecord{Meta: e.Meta, Rotated: p}}
	ops := map[int]machine.OpApplied{}
	want := -1 // operations; not known before the manifest is found
	for hi := e.Seq - 1; want < 0 || len(ops) < want; {
		if hi < src.First() || hi == 0 {
			return out, fmt.Errorf("record %d: the records before it do not hold its manifest and operations", e.Seq)
		}
		lo := max(src.First(), 1)
		if hi-lo >= backStretch {
			lo = hi - backStretch + 1
		}
		events, err := eventsOf(src, lo, hi)
		if err != nil {
			return out, err
		}
		for _, before := range slices.Backward(events) {
			switch b := before.Payload.(type) {
			case machine.ManifestVerified:
				if want < 0 && b.ManifestHash == p.ManifestHash {
					want = b.Operations
					out.Verified = b
					out.Record.Manifest = machine.VerifiedManifest{Seq: before.Seq, Hash: b.ManifestHash, Key: b.KeyBLAKE3, Serial: b.Serial, Operations: b.Operations}
				}
			case machine.OpApplied:
				if _, newer := ops[b.Index]; !newer {
					ops[b.Index] = b
				}
			}
			if want >= 0 && len(ops) >= want {
				break
			}
		}
		hi = lo - 1
	}
	for i := range want {
		op, ok := ops[i]
		if !ok {
			return out, fmt.Errorf("record %d: operation %d of its manifest was never applied", e.Seq, i)
		}
		out.Record.Operations = append(out.Record.Operations, op)
	}
	return out, nil
}

func eventsOf(src History, lo, hi uint64) ([]machine.Event, error) {
	events := make([]machine.Event, 0, hi-lo+1)
	for rec, err := range src.Records(lo, hi) {
		if err != nil {
			return nil, err
		}
		e, err := Event(rec)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
