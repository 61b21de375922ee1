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

// ErrNoKey: the node's checkpoint key is not there, or may not be read.
var ErrNoKey = errors.New("its checkpoint key cannot be read")

// Seal makes a checkpoint over exactly the records of src with the key of the
// state root that it lies in, and gives the key that verifies it. The error is
// ErrNoKey where there is no such key.
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
	// The public half is taken from where auditors take it, so that a wrong
	// one is noticed here.
	text, _, err := durable.ReadFile(src.FS(), stateroot.CheckpointPublic, transparency.MaxKey)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNoKey, err)
	}
	v, err := transparency.NewVerifier(string(text))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", stateroot.CheckpointPublic, err)
	}
	// A bundle is also made of a history that does not replay: which key is in
	// force is then not known.
	size := src.Tip().Seq
	if state, _, err := replay.State(src, size); err == nil {
		if err := v.InForce(state.Keys.Checkpoint); err != nil {
			return nil, "", fmt.Errorf("%s is %w; edgectl key rotate checkpoint completes a change that was interrupted, otherwise put the right key back", stateroot.CheckpointPublic, err)
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
		return nil, "", fmt.Errorf("%s does not verify what %s signs: %w; put the right one back", stateroot.CheckpointPublic, stateroot.CheckpointKey, err)
	}
	return signed, v.String(), nil
}
