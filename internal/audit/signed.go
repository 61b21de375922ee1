package audit

import (
	"context"
	"slices"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// keyName names the keys that one of must have signed: the bundle, or what was
// kept from before.
func (a *auditor) keyName(older bool) string {
	switch {
	case a.report.Key == KeyBundled:
		return "the key that came with the bundle, nor by one that rotations lead from to it"
	case a.given < 2:
		return "the key that was given, nor by one that rotations lead to from it"
	case older:
		return "any key that was given, nor by one that rotations lead to from those"
	}
	return "the key that was given last, nor by one that rotations lead to from it"
}

// rotations finds the changes of the checkpoint key that both keys have signed
// for, oldest first, and which key each record puts in force. A statement that
// does not hold, or of a key that was not in force, leads nowhere; package verify has
// found it.
func (a *auditor) rotations(ctx context.Context) ([]transparency.Rotation, error) {
	var all []transparency.Rotation
	a.inForce = nil
	current := ""
	for _, src := range slices.Backward(a.all()) {
		tip := src.Tip().Seq
		for rec, err := range src.Records(1, tip) {
			if err != nil {
				break // found before: nothing after it is believed
			}
			if rec.Seq%1024 == 0 {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				a.progress("keys", rec.Seq, tip)
			}
			named, r, err := change(src.ID(), rec)
			if err != nil {
				break // the same
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

// change is what a record says of the checkpoint key: the BLAKE3 of the one
// that it puts in force, "" where it names none, and the rotation if it is one
// that holds.
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

// keyInForce is a key that a record names, by its BLAKE3: it signs from there on.
// seq is 0 where a journal before this one names it.
type keyInForce struct {
	seq uint64
	key string
}

// inForceAt is the key that a checkpoint over size records is signed with, and the
// record that says so; "" where none does, which is so until the first change.
func (a *auditor) inForceAt(size uint64) (f keyInForce) {
	for _, next := range a.inForce {
		if next.seq <= size {
			f = next
		}
	}
	return f
}

// followKeys adds to the keys that are believed those that rotations lead to
// from them; or, where the only one came with the bundle, those that lead to it.
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

// withSuccessors gives keys, and those that rotations lead to from them, one after the other.
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

// checkpoint judges the bundle's checkpoint: over exactly its records, signed
// by the key that the auditor holds or by the one that it has led to.
func (a *auditor) checkpoint(ctx context.Context, p *parts) error {
	if p.checkpoint == nil {
		switch {
		case p.about.Signed:
			a.bad(CodeAbsent, 0, "the bundle says that it is signed, and holds no checkpoint")
		case len(a.keys) > 0:
			a.bad(CodeUnsigned, 0, "the bundle holds no checkpoint: the key that was given has signed nothing here")
		default:
			a.warn(CodeUnsigned, 0, "the bundle holds no checkpoint: nobody vouches for these records")
		}
		return a.followKeys(ctx)
	}
	a.report.Key = KeyGiven
	if len(a.keys) == 0 {
		a.report.Key = KeyBundled
		a.warn(CodeKeyOrigin, 0, "the key that verifies the checkpoint came with the bundle, and proves nothing about who signed: give the one that you hold with --key")
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
	return a.covers(ctx, c)
}

// signed judges who has signed a checkpoint: the key that was in force at the
// last record it covers.
func (a *auditor) signed(text []byte, c transparency.Checkpoint) {
	if len(a.signers) == 0 {
		return // there is no key, which is a finding
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
		a.bad(CodeSigner, 0, "the checkpoint is signed by key %s, the records of the journals before this one name key %s", signer.BLAKE3(), named.key)
	default:
		a.bad(CodeSigner, named.seq, "the checkpoint is signed by key %s, record %d names key %s", signer.BLAKE3(), named.seq, named.key)
	}
}

// coSigner is the key in force, where it has signed as well as the one that was
// replaced: a checkpoint is as good as the best of its signatures, in whatever
// order they stand.
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

// covers holds a checkpoint against the records that it should be over.
func (a *auditor) covers(ctx context.Context, c transparency.Checkpoint) error {
	tip := a.src.Tip().Seq
	switch {
	case c.Journal != a.src.ID():
		a.bad(CodeCheckpoint, 0, "the checkpoint is of journal %s, the records are of %s", c.Journal, a.src.ID())
		return nil
	case a.src.First() != 1:
		return nil // that they are not all here is a finding
	case c.Size > tip:
		a.bad(CodeCheckpoint, 0, "the checkpoint is over %d records, here are %d", c.Size, tip)
		a.gone(a.src, c.Journal, c.Size, Difference{Journal: c.Journal, Seq: tip + 1})
		return nil
	case c.Size < tip:
		a.bad(CodeCheckpoint, c.Size+1, "the checkpoint is over %d records, nobody vouches for the %d after them", c.Size, tip-c.Size)
	}
	root, err := a.root(ctx, a.src, c.Size)
	if err != nil {
		return a.unread(err)
	}
	if root != c.Root {
		a.bad(CodeCheckpoint, 0, "the checkpoint is over other records: their root is %s, the root of these is %s", c.Root, root)
		a.bad(CodeRewritten, 0, "the records are not those that the checkpoint in the bundle covers")
	}
	return nil
}
