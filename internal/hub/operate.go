package hub

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
)

// AcceptKey makes a checkpoint key the one in force of a journal, on an operator's word: the
// node has replaced its key without a statement of the old one. It returns the key before.
// Errors are [ErrUnknown], transparency.ErrKey, or that of the store.
func AcceptKey(ctx context.Context, s bucket.Store, id, key string) (before transparency.Verifier, err error) {
	next, err := transparency.NewVerifier(key)
	if err != nil {
		return before, err
	}
	err = change(ctx, s, id, func(h *Head) (bool, error) {
		if before, err = h.verifier(); err != nil {
			return false, err
		}
		if before.BLAKE3() == next.BLAKE3() {
			return false, nil
		}
		h.Keys = append(h.Keys, next.String())
		return true, nil
	})
	return before, err
}

// Forget removes the records of a journal for good. What the hub has signed of it stays:
// head, hashes and checkpoints. It returns the number of objects removed. Errors are
// [ErrUnknown], or that of the store; the call can then be repeated.
func Forget(ctx context.Context, s bucket.Store, id string, f Forgotten) (removed int, err error) {
	var runs []Run
	err = change(ctx, s, id, func(h *Head) (bool, error) {
		runs = h.Runs
		if h.Forgotten != nil {
			return false, nil // the removal was interrupted
		}
		h.Forgotten = &f
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	for _, r := range runs {
		if err := s.Delete(ctx, recordsDir+r.SHA256); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, s.Delete(ctx, viewsDir+id)
}

// change replaces a head by what edit makes of it. edit returns false if nothing is to be
// changed; it may be called again.
func change(ctx context.Context, s bucket.Store, id string, edit func(*Head) (bool, error)) error {
	for range maxRaces {
		h, version, err := readHead(ctx, s, id)
		if err != nil {
			return err
		}
		if err := publish(ctx, s, h, 0); err != nil {
			return err
		}
		changed, err := edit(h)
		if err != nil || !changed {
			return err
		}
		err = s.Swap(ctx, headsDir+id, h.encode(), version)
		if errors.Is(err, bucket.ErrChanged) {
			continue
		}
		if err != nil {
			return err
		}
		return publish(ctx, s, h, 0)
	}
	return fmt.Errorf("journal %s: %w again and again; try again later", id, bucket.ErrChanged)
}

// NewForgotten returns who removes a journal, why, and when.
func NewForgotten(by, reason string) Forgotten {
	return Forgotten{Time: time.Now().UTC(), By: by, Reason: reason}
}
