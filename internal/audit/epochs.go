package audit

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// isEpochFile reports whether an epoch can have a file of this name.
func isEpochFile(path string) bool {
	number, name, _ := strings.Cut(strings.TrimPrefix(path, "epochs/"), "/")
	epoch, err := strconv.ParseUint(number, 10, 64)
	return err == nil && path == replay.EpochFile(epoch, name) && (name == replay.EvidenceName || name == replay.ManifestName || name == replay.SignatureName)
}

// epoch is what a history says of one: its number, its evidence as it was
// published, and the manifest that it was completed under.
type epoch struct {
	number   uint64
	seq      uint64 // of the EpochRotated
	evidence []byte
	manifest machine.ManifestVerified
}

// eachEpoch replays a whole history and gives each epoch that it completes.
// What ends it early, other than visit's error or ctx, is damage: err says
// what, and upTo how many records were replayed.
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
				return upTo, fmt.Errorf("record %d: the epoch was completed under the manifest of record %d, the newest is of record %d",
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

// addEpochs puts the epochs of a history, and the keys they were verified
// under, into the bundle. The note says what could not be.
func (b *builder) addEpochs(src *history.Source) (note string, err error) {
	upTo, damage, err := eachEpoch(b.ctx, src, func(done, total uint64) { b.progress("replay", done, total) }, func(e epoch) error {
		if b.epochs[e.number] {
			return nil // of the journal before: the newer one comes first
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
		note = fmt.Sprintf("the epochs after record %d of journal %s are not told: %v", upTo, src.ID(), damage)
	}
	return note, err
}

// addManifestKey adds a key once.
func (b *builder) addManifestKey(key []byte) error {
	name := manifestKeyName(key)
	if b.keys[name] {
		return nil
	}
	b.keys[name] = true
	return b.add(name, key)
}
