package replay

import (
	"fmt"
	"iter"
	"slices"

	"github.com/autonomyops/edged/machine"
)

// Epoch holds the evidence and the manifest of an epoch.
type Epoch struct {
	Number uint64
	// Record is the source of its evidence; zero if the epoch was adopted from the
	// journal-less software.
	Record machine.EpochRecord
	// Verified holds manifest, signature and key, exact bytes; zero in the same case.
	Verified machine.ManifestVerified
	// Adopted is the evidence that was found with an adopted epoch, perhaps nil.
	Adopted []byte
}

// EpochsUntil yields every epoch that began in the records up to at, newest first. It
// omits epochs without evidence: epoch 0 of a first run, and one that a salvaged
// journal or an epoch floor only names.
//
// It does not read the whole history. Epochs never go back, so a binary search finds
// an epoch's first record; the records of its reconstruction are before that one.
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

// backTo returns the first record with epoch n, where hi is one of them. Its steps
// double, so that a near one is found with few reads.
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

// epochAt reads the epoch whose first record is seq. An adoption may follow failures
// of the same epoch, so it is searched for up to limit.
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
		// This boot ended before the adoption.
	}
	return Epoch{}, false, nil
}

// backBatch is the number of records that are read at once, backwards.
const backBatch = 64

// completed collects the epoch that e committed. An epoch is committed under the
// newest manifest verified before it, after each of its operations was applied under
// that manifest; of each the newest record counts. So reading back until all are
// found gives the same as folding the whole history.
func completed(src History, e machine.Event, p machine.EpochRotated) (Epoch, error) {
	out := Epoch{Number: p.BootEpoch, Record: machine.EpochRecord{Meta: e.Meta, Rotated: p}}
	ops := map[int]machine.OpApplied{}
	want := -1 // operations; not known before the manifest is found
	for hi := e.Seq - 1; want < 0 || len(ops) < want; {
		if hi < src.First() || hi == 0 {
			return out, fmt.Errorf("record %d: the records before it do not hold its manifest and operations", e.Seq)
		}
		lo := max(src.First(), 1)
		if hi-lo >= backBatch {
			lo = hi - backBatch + 1
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
