package audit

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// isEpochFile reports whether path is that of an epoch's file in a bundle.
func isEpochFile(path string) bool {
	number, name, _ := strings.Cut(strings.TrimPrefix(path, "epochs/"), "/")
	epoch, err := strconv.ParseUint(number, 10, 64)
	return err == nil && path == replay.EpochFile(epoch, name) && (name == replay.EvidenceName || name == replay.ManifestName || name == replay.SignatureName)
}

// epoch is a completed epoch of a history.
type epoch struct {
	number   uint64
	seq      uint64 // of its EpochRotated
	evidence []byte // evidence.json as it was published
	manifest machine.ManifestVerified
}

// eachEpoch replays a whole history and calls visit with each completed epoch.
// upTo is the number of records that were replayed. damage is the reason why it
// stopped before the last one, unless err of visit or ctx is.
func eachEpoch(ctx context.Context, src *history.Source, progress func(done, total uint64), visit func(epoch) error) (upTo uint64, damage, err error) {
	fold := machine.NewFold(machine.State{})
	var verified machine.ManifestVerified
	var verifiedAt uint64
	tip := src.Tip().Seq
	for rec, err := range src.Records(1, tip) {
		if err != nil {
			return upTo, err, nil
		}
		if rec.Seq%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return upTo, nil, err
			}
			progress(rec.Seq, tip)
		}
		event, err := replay.Event(rec)
		if err == nil {
			err = fold.Apply(event)
		}
		if err != nil {
			return upTo, err, nil
		}
		upTo = rec.Seq
		switch p := event.Payload.(type) {
		case machine.ManifestVerified:
			verified, verifiedAt = p, rec.Seq
		case machine.EpochRotated:
			current := fold.State().Current
			if current.Manifest.Seq != verifiedAt {
				return upTo, fmt.Errorf("record %d: the epoch was completed under the manifest of record %d, but the newest is that of record %d",
					rec.Seq, current.Manifest.Seq, verifiedAt), nil
			}
			text, err := projections.Evidence(*current)
			if err != nil {
				return upTo, err, nil
			}
			if err := visit(epoch{number: p.BootEpoch, seq: rec.Seq, evidence: text, manifest: verified}); err != nil {
				return upTo, nil, err
			}
		}
	}
	return upTo, nil, nil
}

// addEpochs adds the epochs of a history and their manifest keys to the bundle.
// note says which epochs are missing; "" if none is.
func (b *builder) addEpochs(src *history.Source) (note string, err error) {
	upTo, damage, err := eachEpoch(b.ctx, src, func(done, total uint64) { b.progress("replay", done, total) }, func(e epoch) error {
		if b.epochs[e.number] {
			return nil // a newer journal, which was added before, has this epoch too
		}
		b.epochs[e.number] = true
		for _, f := range []struct {
			name string
			data []byte
		}{{replay.EvidenceName, e.evidence}, {replay.ManifestName, e.manifest.Manifest}, {replay.SignatureName, e.manifest.Signature}} {
			if err := b.add(replay.EpochFile(e.number, f.name), f.data); err != nil {
				return err
			}
		}
		return b.addManifestKey(e.manifest.Key)
	})
	if damage != nil {
		note = fmt.Sprintf("the bundle does not hold the epochs after record %d of journal %s: %v", upTo, src.ID(), damage)
	}
	return note, err
}

// addManifestKey adds a manifest key if the bundle does not hold it yet.
func (b *builder) addManifestKey(key []byte) error {
	name := manifestKeyName(key)
	if b.keys[name] {
		return nil
	}
	b.keys[name] = true
	return b.add(name, key)
}

// epochs compares the files of each epoch with those that the records lead to.
func (a *auditor) epochs(ctx context.Context, p *contents) error {
	done, whole := map[uint64]bool{}, true
	for _, src := range a.all() {
		// Damage was reported before; the epochs that precede it are checked.
		_, damage, err := eachEpoch(ctx, src, func(done, total uint64) { a.progress("epochs", done, total) }, func(e epoch) error {
			if done[e.number] {
				a.bad(CodeEpoch, e.seq, "epoch %d is completed twice", e.number)
				return nil
			}
			done[e.number] = true
			a.epoch(p, e)
			return nil
		})
		if err != nil {
			return err
		}
		whole = whole && damage == nil
	}
	if !whole {
		return nil // the records after the damage may complete these epochs
	}
	for name := range p.epochs {
		a.bad(CodeEpoch, 0, "%s: the records complete no such epoch", name)
	}
	return nil
}

// epoch compares the files of one epoch and removes them from p.epochs.
func (a *auditor) epoch(p *contents, e epoch) {
	key := manifestKeyName(e.manifest.Key)
	for _, f := range []struct {
		name string
		want []byte
		have map[string]record.Hash
	}{
		{replay.EpochFile(e.number, replay.EvidenceName), e.evidence, p.epochs},
		{replay.EpochFile(e.number, replay.ManifestName), e.manifest.Manifest, p.epochs},
		{replay.EpochFile(e.number, replay.SignatureName), e.manifest.Signature, p.epochs},
		{key, e.manifest.Key, p.keys},
	} {
		hash, ok := f.have[f.name]
		switch {
		case !ok:
			a.bad(CodeAbsent, e.seq, "%s is not in the bundle", f.name)
		case hash != record.HashOf(f.want):
			a.bad(CodeEpoch, e.seq, "%s differs from the records", f.name)
		}
		if f.name != key {
			delete(p.epochs, f.name)
		}
	}
}
