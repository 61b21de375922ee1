package audit

import (
	"context"
	"slices"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// keyName names, for a message, the keys of which one must have signed the
// bundle or the older checkpoint.
func (a *auditor) keyName(older bool) string {
	switch {
	case a.report.Key == KeyBundled:
		return "the key in the bundle, nor by a key that was rotated to it"
	case a.given < 2:
		return "the given key, nor by a successor of it"
	case older:
		return "any given key, nor by a successor of one"
	}
	return "the last given key, nor by a successor of it"
}

// rotations returns the valid rotations of the checkpoint key, oldest first, and
// sets inForce. It skips a statement that is not valid or is from a key that was
// not in force; package verify reports that one.
func (a *auditor) rotations(ctx context.Context) ([]transparency.Rotation, error) {
	var all []transparency.Rotation
	a.inForce = nil
	current := ""
	for _, src := range slices.Backward(a.all()) {
		tip := src.Tip().Seq
		for rec, err := range src.Records(1, tip) {
			if err != nil {
				break // package verify reports it; later records are not trusted
			}
			if rec.Seq%1024 == 0 {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				a.progress("keys", rec.Seq, tip)
			}
			named, r, err := change(src.ID(), rec)
			if err != nil {
				break // package verify reports it too
			}
			if named == "" || r != nil && current != "" && current != r.Old.BLAKE3() {
				continue
			}
			if r != nil {
				all = append(all, *r)
			}
			current = named
			in := keyInForce{key: named}
			if src == a.src {
				in.seq = rec.Seq
			}
			a.inForce = append(a.inForce, in)
		}
	}
	return all, nil
}

// change returns the BLAKE3 of the checkpoint key that a record puts in force, ""
// if it names none, and the rotation if the record is a valid one.
func change(id string, rec record.Record) (named string, r *transparency.Rotation, err error) {
	switch machine.Kind(rec.Type) {
	case machine.KindKeyRotated, machine.KindKeyReplaced, machine.KindJournalSalvaged:
	default:
		return "", nil, nil
	}
	event, err := replay.Event(rec)
	if err != nil {
		return "", nil, err
	}
	switch p := event.Payload.(type) {
	case machine.KeyRotated:
		if p.Purpose != machine.PurposeCheckpoint {
			return "", nil, nil
		}
		if r, err := transparency.ReadRotation(id, p); err == nil {
			return p.NewKey, &r, nil
		}
	case machine.KeyReplaced:
		if p.Purpose == machine.PurposeCheckpoint {
			return p.NewKey, nil, nil
		}
	case machine.JournalSalvaged:
		return p.CheckpointKey, nil, nil
	}
	return "", nil, nil
}

// keyInForce is the BLAKE3 of a key that is in force from record seq on. seq is 0
// if a predecessor names the key.
type keyInForce struct {
	seq uint64
	key string
}

// inForceAt returns the key that must sign a checkpoint over size records. key is
// "" before the first record that names one.
func (a *auditor) inForceAt(size uint64) (f keyInForce) {
	for _, next := range a.inForce {
		if next.seq <= size {
			f = next
		}
	}
	return f
}

// followKeys adds the successors of the trusted keys by rotation. If the only one
// came with the bundle, it adds the keys that were rotated to it.
func (a *auditor) followKeys(ctx context.Context) error {
	if len(a.keys) == 0 {
		return nil
	}
	all, err := a.rotations(ctx)
	if err != nil {
		return err
	}
	newest := a.keys[len(a.keys)-1:]
	if a.report.Key == KeyBundled {
		var back []transparency.Rotation
		for _, r := range slices.Backward(all) {
			back = append(back, transparency.Rotation{Old: r.New, New: r.Old})
		}
		newest = withSuccessors(newest, back)
		a.keys = newest
	}
	a.signers, a.keys = withSuccessors(newest, all), withSuccessors(a.keys, all)
	return nil
}

// withSuccessors returns keys and their successors by rotation.
func withSuccessors(keys []transparency.Verifier, rotations []transparency.Rotation) []transparency.Verifier {
	keys = slices.Clip(keys)
	have := map[string]bool{}
	for _, k := range keys {
		have[k.BLAKE3()] = true
	}
	for _, r := range rotations {
		if next := r.New.BLAKE3(); have[r.Old.BLAKE3()] && !have[next] {
			have[next] = true
			keys = append(keys, r.New)
		}
	}
	return keys
}

// checkpoint checks that the bundle's checkpoint covers exactly its records, and
// that the auditor's key or a successor of it signed it.
func (a *auditor) checkpoint(ctx context.Context, p *contents) error {
	if p.checkpoint == nil {
		switch {
		case p.about.Signed:
			a.bad(CodeAbsent, 0, "the bundle says that it is signed, but holds no checkpoint")
		case len(a.keys) > 0:
			a.bad(CodeUnsigned, 0, "the bundle holds no checkpoint: the given key has not signed it")
		default:
			a.warn(CodeUnsigned, 0, "the bundle holds no checkpoint: nobody vouches for these records")
		}
		return a.followKeys(ctx)
	}
	a.report.Key = KeyGiven
	if len(a.keys) == 0 {
		a.report.Key = KeyBundled
		a.warn(CodeKeyOrigin, 0, "the checkpoint was verified with the key in the bundle, which does not prove who signed it: give the key that you hold with --key")
		v, err := transparency.NewVerifier(string(p.public))
		if err != nil {
			a.bad(CodeSigner, 0, "%s: %v", publicName, err)
		} else {
			a.keys = []transparency.Verifier{v}
		}
	}
	if err := a.followKeys(ctx); err != nil {
		return err
	}
	c, err := transparency.Read(p.checkpoint)
	if err != nil {
		a.bad(CodeCheckpoint, 0, "%s: %v", checkpointName, err)
		return nil
	}
	a.signed(p.checkpoint, c)
	a.witnessed(p.checkpoint, c)
	return a.covers(ctx, c)
}

// signed checks that the key in force at the last record of a checkpoint signed
// it.
func (a *auditor) signed(text []byte, c transparency.Checkpoint) {
	if len(a.signers) == 0 {
		return // a finding reports that there is no key
	}
	_, signer, err := open(text, a.signers)
	if err != nil {
		a.bad(CodeSigner, 0, "%s: %v", checkpointName, err)
		return
	}
	named := a.inForceAt(c.Size)
	if signer != nil && signer.InForce(named.key) != nil {
		signer = a.coSigner(text, named.key, signer)
	}
	switch {
	case signer == nil:
		a.bad(CodeSigner, 0, "the checkpoint is not signed by %s", a.keyName(false))
	case signer.InForce(named.key) == nil:
	case named.seq == 0:
		a.bad(CodeSigner, 0, "the checkpoint is signed by key %s, but the records of the predecessors name key %s", signer.BLAKE3(), named.key)
	default:
		a.bad(CodeSigner, named.seq, "the checkpoint is signed by key %s, but record %d names key %s", signer.BLAKE3(), named.seq, named.key)
	}
}

// coSigner returns the key in force if it signed the checkpoint too, otherwise
// found. The order of the signatures does not matter.
func (a *auditor) coSigner(text []byte, inForce string, found *transparency.Verifier) *transparency.Verifier {
	for _, k := range a.signers {
		if k.InForce(inForce) != nil {
			continue
		}
		if _, by, err := open(text, []transparency.Verifier{k}); err == nil && by != nil {
			return by
		}
	}
	return found
}

// covers checks that a checkpoint is over exactly the records.
func (a *auditor) covers(ctx context.Context, c transparency.Checkpoint) error {
	tip := a.src.Tip().Seq
	switch {
	case c.Journal != a.src.ID():
		a.bad(CodeCheckpoint, 0, "the checkpoint is of journal %s, but the records are of %s", c.Journal, a.src.ID())
		return nil
	case a.src.First() != 1:
		return nil // a finding reports that records are missing
	case c.Size > tip:
		a.bad(CodeCheckpoint, 0, "the checkpoint is over %d records, but here are %d", c.Size, tip)
		a.missing(a.src, c.Journal, c.Size, Difference{Journal: c.Journal, Seq: tip + 1})
		return nil
	case c.Size < tip:
		a.bad(CodeCheckpoint, c.Size+1, "the checkpoint is over %d records: nobody vouches for the %d records after them", c.Size, tip-c.Size)
	}
	root, err := a.root(ctx, a.src, c.Size)
	if err != nil {
		return a.unread(err)
	}
	if root != c.Root {
		a.bad(CodeCheckpoint, 0, "the checkpoint is over other records: its root is %s, but the root of these is %s", c.Root, root)
		a.bad(CodeRewritten, 0, "the records are not those that the checkpoint in the bundle covers")
	}
	return nil
}
