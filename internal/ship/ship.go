// Package ship shows a node's journal to others, who remember it. A journal on one
// partition cannot show that the partition was put back to an older copy, or that
// root wrote all of it again with the node's own key. Somebody who has seen it can.
//
//	config.go   who is to see it: /etc/edged/ship.yaml
//	witness.go  a C2SP tlog-witness: it gets a checkpoint and a proof, and no records
//	hub.go      a hub: it gets the records too
//	kept.go     the checkpoints that others have signed
//	ship.go     one run
//
// The journal is the only queue. There is no file that says how far the others
// are: each knows its own size, and answers with it.
package ship

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/autonomyops/edged/internal/transparency"
)

// Outcome is the outcome of one run for one witness.
type Outcome string

// Outcomes.
const (
	Cosigned   Outcome = "cosigned"
	Away       Outcome = "away"        // no usable answer; try again later
	Stranger   Outcome = "stranger"    // the witness does not know this journal
	Rewritten  Outcome = "rewritten"   // the witness remembers another history
	RolledBack Outcome = "rolled_back" // the witness says that it knows more records
)

// Result is the result for one witness.
type Result struct {
	URL     string  `json:"url"`
	Outcome Outcome `json:"outcome"`
	// Seen is the newest checkpoint that the witness has signed and that is kept.
	Seen
	Detail string `json:"detail"`
}

// Contradicts reports whether the witness remembers something else than the node.
func (r Result) Contradicts() bool { return r.Outcome == Rewritten || r.Outcome == RolledBack }

// ErrBusy: the directory of checkpoints is locked.
var ErrBusy = errors.New("another edgectl ship runs")

// maxAsked is the number of times that a witness is asked in one run. It answers
// with another size once; more often only if others ship the same journal.
const maxAsked = 4

// errKeep: an answer cannot be kept.
var errKeep = errors.New("keep the checkpoint")

// Ship asks every witness to cosign the checkpoint of a tree, sends the hub the records
// that it lacks, and keeps each answer in the directory of the config as soon as it
// arrives. The hub's result is nil if there is none. Only a failure of that directory, or of
// the history, is an error: [ErrContradicts] if the directory holds a checkpoint of this
// size over other records, [ErrBusy] if another run has locked it.
func Ship(ctx context.Context, c *Config, tree *transparency.Tree, node Node) (witnesses []Result, hub *Result, err error) {
	kept, err := OpenKept(c.Checkpoints, tree.Checkpoint().Journal)
	if err != nil {
		return nil, nil, err
	}
	defer kept.Close() //nolint:errcheck // every file was synced
	if held, err := kept.root.TryLock(); err != nil || !held {
		return nil, nil, errors.Join(err, fmt.Errorf("%s: %w", c.Checkpoints, ErrBusy))
	}
	signed, err := tree.Checkpoint().Sign(node.Key)
	if err != nil {
		return nil, nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxAnswer
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: noRedirect}
	results := []Result{}
	for _, w := range c.Witnesses {
		r, err := shipTo(ctx, client, w, kept, tree, signed)
		if err != nil {
			return results, nil, err
		}
		results = append(results, r)
	}
	if c.Hub == nil {
		return results, nil, nil
	}
	r, err := shipToHub(ctx, transport, c.Hub, kept, tree, node)
	return results, &r, err
}

// noRedirect: a witness has one address. Another one would be another witness.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// shipTo asks one witness. The error is that of kept or of ctx.
func shipTo(ctx context.Context, client *http.Client, w Witness, kept *Kept, tree *transparency.Tree, signed []byte) (Result, error) {
	c := tree.Checkpoint()
	seen, err := kept.Seen(w)
	if err != nil {
		return Result{}, err
	}
	r := Result{URL: w.URL, Seen: seen}
	if err = agrees(kept, seen, tree); err == nil {
		var cosigned transparency.Cosignature
		cosigned, err = show(ctx, client, w, tree, signed, seen.Size)
		// The first signature over a size shows since when it was seen: another one
		// is not kept.
		if err == nil && seen.Size < c.Size {
			if err := kept.add(c, signed, cosigned.Line); err != nil {
				return r, fmt.Errorf("%w: %w", errKeep, err)
			}
			r.Seen = Seen{w.Name(), c.Size, &cosigned.Time, c}
		}
	}
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	return r, r.end(err)
}

// end sets the outcome. It returns an error that is not about the other side.
func (r *Result) end(err error) error {
	switch {
	case err == nil:
		r.Outcome = Cosigned
		return nil
	case errors.Is(err, errKeep):
		return err
	case errors.Is(err, ErrContradicts):
		r.Outcome = Rewritten
	case errors.Is(err, errMore):
		r.Outcome = RolledBack
	case errors.Is(err, ErrStranger), errors.Is(err, ErrRefused):
		r.Outcome = Stranger
	default:
		r.Outcome = Away
	}
	r.Detail = err.Error()
	return nil
}

// errMore: the witness knows more records than there are.
var errMore = errors.New("more than are here: an older copy of the partition was put back, or another copy of this node ships too")

// agrees compares the tree with the newest checkpoint that the witness has signed.
func agrees(kept *Kept, seen Seen, tree *transparency.Tree) error {
	switch c := tree.Checkpoint(); {
	case seen.Size == 0:
		return nil
	case seen.Size > c.Size:
		return fmt.Errorf("it has signed %s, %w", kept.name(seen.Size), errMore)
	}
	here, err := tree.At(seen.Size)
	if err == nil && here != seen.checkpoint {
		err = fmt.Errorf("%w: it has signed %s, which is over other records", ErrContradicts, kept.name(seen.Size))
	}
	return err
}

// show asks one witness, from the size that it is believed to know, and again from
// the size that it answers with. It does not sign these answers.
func show(ctx context.Context, client *http.Client, w Witness, tree *transparency.Tree, signed []byte, old uint64) (transparency.Cosignature, error) {
	size := tree.Checkpoint().Size
	for range maxAsked {
		var proof []transparency.HashText
		if old > 0 {
			before, err := tree.At(old)
			if err != nil {
				return transparency.Cosignature{}, err
			}
			c, err := tree.Consistency(before, signed)
			if err != nil {
				return transparency.Cosignature{}, err
			}
			proof = c.Proof
		}
		cosigned, err := w.ask(ctx, client, old, proof, signed)
		var conflict conflictError
		switch {
		case errors.Is(err, ErrContradicts):
			return cosigned, fmt.Errorf("%w: it refuses the proof from %d records", ErrContradicts, old)
		case !errors.As(err, &conflict):
			return cosigned, err
		case conflict.size > size:
			return transparency.Cosignature{}, fmt.Errorf("it says that it knows %d records, %w", conflict.size, errMore)
		case conflict.size == old && old == size:
			return transparency.Cosignature{}, fmt.Errorf("%w: it says that the %d records which it knows have another root", ErrContradicts, size)
		case conflict.size == old:
			return transparency.Cosignature{}, fmt.Errorf("%w: it asks for a proof from %d records, and refuses it", ErrAway, old)
		}
		old = conflict.size
	}
	return transparency.Cosignature{}, fmt.Errorf("%w: it answered with %d different sizes", ErrAway, maxAsked)
}
