package nodeinit

import (
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/transparency"
)

// checkpointKey makes the key pair that signs checkpoints, in note's own text form.
//
// A checkpoint's origin is edged/<journal id>, which the first record fixes. The key is made
// before that, and outlives a journal that is salvaged. So the key is named after the node.
func (l *layout) checkpointKey() error {
	hasKey, hasPub, err := l.pair(stateroot.CheckpointKey, stateroot.CheckpointPublic)
	if err != nil {
		return err
	}
	const noteKey, notePub = "signs checkpoints; keep it secret", "for auditors: verifies checkpoints"
	switch {
	case hasKey && hasPub:
		l.done(stateroot.CheckpointKey, false, "")
		l.done(stateroot.CheckpointPublic, false, "")
		return nil
	case hasPub:
		l.skip(stateroot.CheckpointKey, "only the public half is here, and a new private half would not belong to it")
		l.done(stateroot.CheckpointPublic, false, "")
		return nil
	case hasKey:
		skey, _, err := durable.ReadFile(l.fs, stateroot.CheckpointKey, transparency.MaxKey)
		if err != nil {
			return err
		}
		key, err := transparency.NewSigner(string(skey))
		if err != nil {
			l.done(stateroot.CheckpointKey, false, "")
			l.skip(stateroot.CheckpointPublic, "not made, because the private half is not an Ed25519 note key")
			return nil
		}
		l.done(stateroot.CheckpointKey, false, "")
		return l.write(stateroot.CheckpointPublic, []byte(key.Verifier().String()+"\n"), 0o644, notePub)
	}
	key, err := transparency.GenerateSigner(l.node)
	if err != nil {
		return err
	}
	// The private half is written first: the public one can be made from it.
	if err := l.write(stateroot.CheckpointKey, []byte(key.Secret()+"\n"), 0o600, noteKey); err != nil {
		return err
	}
	return l.write(stateroot.CheckpointPublic, []byte(key.Verifier().String()+"\n"), 0o644, notePub)
}
