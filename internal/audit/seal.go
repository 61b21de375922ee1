package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/replay"
)

// ErrNoKey: the node's checkpoint key does not exist or cannot be read.
var ErrNoKey = errors.New("its checkpoint key cannot be read")

// Seal signs a checkpoint over exactly the records of src with the checkpoint key
// of its state root, after it made the newest of them durable. It returns the
// checkpoint and the public key. The error is ErrNoKey if the private or public key
// cannot be read.
func Seal(ctx context.Context, src *history.Source, progress func(stage string, done, total uint64)) (checkpoint []byte, public string, err error) {
	if src.Kind() != history.StateRoot {
		return nil, "", fmt.Errorf("%w: %s holds none", ErrNoKey, src.Kind())
	}
	private, _, err := durable.ReadFile(src.FS(), stateroot.CheckpointKey, transparency.MaxKey)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	signer, err := transparency.NewSigner(string(private))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrNoKey, stateroot.CheckpointKey, err)
	}
	// The public key is read from its file rather than derived: auditors copy
	// that file, and a wrong one is found here.
	text, _, err := durable.ReadFile(src.FS(), stateroot.CheckpointPublic, transparency.MaxKey)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	v, err := transparency.NewVerifier(string(text))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", stateroot.CheckpointPublic, err)
	}
	if err := src.MakeDurable(); err != nil {
		return nil, "", err
	}
	// A bundle may hold a history that does not replay. The key in force is then
	// not known.
	size := src.Tip().Seq
	if state, _, err := replay.State(src, size); err == nil {
		if err := v.InForce(state.Keys.Checkpoint); err != nil {
			return nil, "", fmt.Errorf("%s is %w; if a change of the key was interrupted, complete it with edgectl key rotate checkpoint; otherwise put the right key back", stateroot.CheckpointPublic, err)
		}
	}
	root, err := transparency.Root(ctx, src, size, func(done, total uint64) { progress("root", done, total) })
	if err != nil {
		return nil, "", err
	}
	signed, err := transparency.Checkpoint{Journal: src.ID(), Size: size, Root: root}.Sign(signer)
	if err != nil {
		return nil, "", fmt.Errorf("sign the checkpoint: %w", err)
	}
	if _, _, err := transparency.Open(signed, v); err != nil {
		return nil, "", fmt.Errorf("%s does not belong to %s: %w; put the right key back", stateroot.CheckpointPublic, stateroot.CheckpointKey, err)
	}
	return signed, v.String(), nil
}
