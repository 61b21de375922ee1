package audit

import (
	"context"
	"slices"

	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// keyName names the keys that one of must have signed.
func (a *auditor) keyName() string {
	if a.report.Key == KeyBundled {
		return "the key that came with the bundle, nor by one that rotations lead from to it"
	}
	return "the key that was given, nor by one that rotations lead to from it"
}

// rotation is a change of the checkpoint key, and the record that tells it.
type rotation struct {
	transparency.Rotation
	journal string
	seq     uint64
}

// rotations finds the changes of the checkpoint key that a key has signed for,
// oldest first, and which one each record puts in force. A statement that does
// not hold leads nowhere; scrub has found it.
func (a *auditor) rotations(ctx context.Context) ([]rotation, error) {
	var all []rotation
	a.inForce = nil
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
			switch machine.Kind(rec.Type) {
			case machine.KindKeyRotated, machine.KindKeyReplaced, machine.KindJournalSalvaged:
			default:
				continue
			}
			event, err := replay.Event(rec)
			if err != nil {
				break
			}
			named := ""
			switch p := event.Payload.(type) {
			case machine.KeyRotated:
				if p.Purpose != machine.PurposeCheckpoint {
					continue
				}
				if r, err := transparency.ReadRotation(src.ID(), p); err == nil {
					named = p.NewKey
					all = append(all, rotation{r, src.ID(), rec.Seq})
				}
			case machine.KeyReplaced:
				if p.Purpose == machine.PurposeCheckpoint {
					named = p.NewKey
				}
			case machine.JournalSalvaged:
				named = p.CheckpointKey
			}
			if named != "" && src == a.src {
				a.inForce = append(a.inForce, inForce{rec.Seq, named})
			}
		}
	}
	return all, nil
}

// inForce is a key that a record names, by its BLAKE3: it signs from there on.
type inForce struct {
	seq uint64
	key string
}

// at is the key that a checkpoint over size records is signed with, and the
// record that says so; "" where none does, which is so until the first change.
func (a *auditor) at(size uint64) (f inForce) {
	for _, next := range a.inForce {
		if next.seq <= size {
			f = next
		}
	}
	return f
}

// followKeys adds to the key that is believed those that rotations lead to
// from it; or, where the newest one came with the bundle, those that lead to
// it. superseded is the record that has put the newest of them in the place of
// the one before.
func (a *auditor) followKeys(ctx context.Context) (superseded uint64, err error) {
	if len(a.keys) == 0 {
		return 0, nil
	}
	all, err := a.rotations(ctx)
	if err != nil {
		return 0, err
	}
	if a.report.Key == KeyBundled {
		for _, r := range slices.Backward(all) {
			if r.New.BLAKE3() == a.keys[0].BLAKE3() {
				a.keys = slices.Insert(a.keys, 0, r.Old)
			}
		}
	}
	for _, r := range all {
		if r.Old.BLAKE3() == a.keys[len(a.keys)-1].BLAKE3() {
			a.keys = append(a.keys, r.New)
			if superseded = 0; r.journal == a.src.ID() {
				superseded = r.seq
			}
		}
	}
	return superseded, nil
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
		_, err := a.followKeys(ctx)
		return err
	}
	a.report.Key = KeyGiven
	if len(a.keys) == 0 {
		a.report.Key = KeyBundled
		v, err := transparency.NewVerifier(string(p.public))
		if err != nil {
			a.bad(CodeSigner, 0, "%s: %v", publicName, err)
			return nil
		}
		a.keys = []transparency.Verifier{v}
		a.warn(CodeKeyOrigin, 0, "the key that verifies the checkpoint came with the bundle, and proves nothing about who signed: give the one that you hold with --key")
	}
	superseded, err := a.followKeys(ctx)
	if err != nil {
		return err
	}
	c, signer, err := a.open(p.checkpoint)
	if err != nil {
		a.bad(CodeCheckpoint, 0, "%s: %v", checkpointName, err)
		return nil
	}
	newest, named := a.keys[len(a.keys)-1], a.at(c.Size)
	switch {
	case signer == nil:
		a.bad(CodeSigner, 0, "the checkpoint is not signed by %s", a.keyName())
	case named.key != "" && signer.InForce(named.key) != nil:
		a.bad(CodeSigner, named.seq, "the checkpoint is signed by key %s, record %d names key %s", signer.BLAKE3(), named.seq, named.key)
	case signer.BLAKE3() != newest.BLAKE3() && c.Size >= superseded:
		a.bad(CodeSigner, superseded, "the checkpoint is signed by key %s, which record %d replaced by key %s", signer.BLAKE3(), superseded, newest.BLAKE3())
	}
	return a.covers(ctx, c)
}

// covers holds a checkpoint against the records that it should be over.
func (a *auditor) covers(ctx context.Context, c transparency.Checkpoint) error {
	tip := a.src.Tip().Seq
	switch {
	case c.Journal != a.src.ID():
		a.bad(CodeCheckpoint, 0, "the checkpoint is of journal %s, the records are of %s", c.Journal, a.src.ID())
		return nil
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
