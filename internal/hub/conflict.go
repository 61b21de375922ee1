package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/journal/record"
)

// maxConflicts is the number of conflicts of a journal that are kept. Later ones are
// counted.
const maxConflicts = 16

// Evidence is a conflict as it is kept.
type Evidence struct {
	Conflict
	// Proof is the proof that came with the node's checkpoint, and that does not lead from
	// the hub's to it.
	Proof []transparency.HashText `json:"proof,omitempty"`
}

// conflict keeps a shipment that contradicts the head, and returns the refusal of it.
func (h *Hub) conflict(ctx context.Context, kind State, s *Shipment, head *Head, version bucket.Version) error {
	answer := refuse(http.StatusUnprocessableEntity, "the hub holds another history of journal %s: it has %d records with root %s, and this checkpoint of %d records contradicts them",
		head.Journal, head.Size, head.Root, s.Checkpoint.Size)
	if kind == RolledBack {
		answer = &Refusal{Status: http.StatusConflict, Size: head.Size}
	}
	now := h.now()
	place := ConflictPlace{Kind: kind, Time: now, Size: s.Checkpoint.Size, Root: transparency.HashText(s.Checkpoint.Root)}
	first, err := h.differing(ctx, s, head)
	if err != nil {
		return err
	}
	place.Compared = first != nil
	next := *head
	next.Conflict = &place
	if last := head.Conflict; last != nil && last.same(place) && last.Time.After(head.Seen) {
		// It is the same again. Now it may be known which record differs.
		if now.Sub(last.Time) < seenEvery && (last.Compared || !place.Compared) {
			return answer
		}
		place.Compared = place.Compared || last.Compared
		if err := h.addFirst(ctx, head, first); err != nil {
			return err
		}
	} else {
		next.Conflicts++
		e := Evidence{Conflict: Conflict{
			Kind: kind, Journal: head.Journal, Time: now,
			Held:  Side{head.Size, head.Root.String(), head.Checkpoint},
			Shown: Side{s.Checkpoint.Size, s.Checkpoint.Root.String(), string(s.Signed)},
			First: first,
		}}
		for _, hash := range s.Proof {
			e.Proof = append(e.Proof, transparency.HashText(hash))
		}
		for ; next.Conflicts <= maxConflicts; next.Conflicts++ {
			kept, err := h.keep(ctx, conflictName(head.Journal, next.Conflicts), &e)
			if err != nil {
				return err
			}
			if kept {
				break
			}
		}
	}
	if err := h.store.Swap(ctx, headsDir+head.Journal, next.encode(), version); err != nil {
		return err
	}
	found, err := conflicts(ctx, h.store, &next)
	if err != nil {
		h.log.Error("evidence of older conflicts cannot be read", "journal", head.Journal, "error", err)
	}
	h.index.putConflicts(&next, found)
	h.log.Warn("a node contradicts what the hub holds", "state", string(kind), "node", head.Node, "journal", head.Journal, "held", head.Size, "shown", s.Checkpoint.Size)
	return answer
}

// keep writes evidence, and reports whether it is there: another request may have used the
// name for something else, and not have replaced the head.
func (h *Hub) keep(ctx context.Context, name string, e *Evidence) (bool, error) {
	err := h.store.Swap(ctx, name, e.encode(), "")
	if !errors.Is(err, bucket.ErrChanged) {
		return err == nil, err
	}
	data, _, err := h.store.Get(ctx, name)
	if err != nil {
		return false, err
	}
	var there Evidence
	return json.Unmarshal(data, &there) == nil && there.Shown.Checkpoint == e.Shown.Checkpoint && there.Kind == e.Kind, nil
}

// same reports whether two conflicts are about the same checkpoint.
func (c ConflictPlace) same(d ConflictPlace) bool {
	return c.Kind == d.Kind && c.Size == d.Size && c.Root == d.Root
}

// addFirst adds to the newest evidence which record differs.
func (h *Hub) addFirst(ctx context.Context, head *Head, first *Differing) error {
	if first == nil || head.Conflicts > maxConflicts {
		return nil
	}
	name := conflictName(head.Journal, head.Conflicts)
	data, version, err := h.store.Get(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it is lost, and nothing can be added
	}
	if err != nil {
		return err
	}
	var e Evidence
	if json.Unmarshal(data, &e) != nil {
		return nil // the same
	}
	e.First = first
	return h.store.Swap(ctx, name, e.encode(), version)
}

func (e *Evidence) encode() []byte {
	data, err := json.Marshal(e, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		panic(err) // it is plain data
	}
	return append(data, '\n')
}

// differing returns the first record of a shipment that differs from the hub's: a node
// that was refused sends its records from the first one on. It is nil if these are
// the same, or if they are none.
func (h *Hub) differing(ctx context.Context, s *Shipment, head *Head) (*Differing, error) {
	if !s.fromFirst() {
		return nil, nil
	}
	held := newJournal(ctx, h.store, head)
	next, stop := iter.Pull(s.lines())
	defer stop()
	for raw, err := range held.RawRecords(1, s.Checkpoint.Size) {
		if err != nil {
			return nil, err
		}
		shown, more := next()
		if !more {
			break
		}
		if !bytes.Equal(shown, raw.Raw) {
			return &Differing{raw.Seq, record.HashOf(raw.Raw).String(), record.HashOf(shown).String()}, nil
		}
	}
	return nil, nil
}

// conflicts returns the conflicts of a journal that are kept, the newest first. Those that
// cannot be read are in the error.
func conflicts(ctx context.Context, s bucket.Store, head *Head) (all []Conflict, failed error) {
	for n := min(head.Conflicts, maxConflicts); n > 0; n-- {
		var e Evidence
		data, _, err := s.Get(ctx, conflictName(head.Journal, n))
		if err == nil {
			if err = json.Unmarshal(data, &e); err != nil {
				err = fmt.Errorf("%s: %w", conflictName(head.Journal, n), err)
			}
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		all = append(all, e.Conflict)
	}
	return all, failed
}

// Rollback shows that the store was put back: the hub has signed a checkpoint that the
// store does not know.
type Rollback struct {
	Time    time.Time `json:"time"`
	Journal string    `json:"journal"`
	Held    uint64    `json:"held"` // records
	// Cosigned is the checkpoint, with the signature of the hub.
	Cosigned string `json:"cosigned"`
}

func (r *Rollback) String() string {
	return fmt.Sprintf("the store was put back to an older copy: journal %s has %d records here, but a node has a checkpoint that this hub signed over others; retire the hub's key, and start it with a new one", r.Journal, r.Held)
}

// remembers compares the newest checkpoint that the node has from this hub with the head.
// If the hub has signed it and does not know it, the store is an older copy, and the hub
// signs nothing more with this key. The error is a [*Refusal], or that of the store.
func (h *Hub) remembers(ctx context.Context, s *Shipment, head *Head, version bucket.Version) error {
	if r := h.stopped.Load(); r != nil {
		return refuse(http.StatusServiceUnavailable, "the hub signs nothing: %s", r)
	}
	if len(s.Cosigned) == 0 {
		return nil
	}
	if _, ok := transparency.Cosigned(s.Cosigned, h.key.verifier); !ok {
		return nil // by another key, as before this one
	}
	c, err := transparency.Read(s.Cosigned)
	if err != nil || c.Journal != s.Checkpoint.Journal {
		return malformed("part cosigned is no checkpoint of this journal")
	}
	held := uint64(0)
	if head != nil {
		if held = head.Size; c.Size <= held {
			if head.Forgotten != nil {
				return nil
			}
			root, err := newJournal(ctx, h.store, head).rootAt(c.Size)
			if err != nil || root == c.Root {
				return err
			}
		}
	}
	if err := h.current(ctx, s, c, head, version); err != nil {
		return err
	}
	r := &Rollback{Time: h.now(), Journal: c.Journal, Held: held, Cosigned: string(s.Cosigned)}
	data, err := json.Marshal(r, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	if err := create(ctx, h.store, rollbacksDir+h.key.id(), data); err != nil {
		return err
	}
	h.stop(r)
	return refuse(http.StatusServiceUnavailable, "the hub signs nothing: %s", r)
}

// errLost: the store has a checkpoint of a journal, but not its head. The latter may be in a
// stale answer only.
var errLost = fmt.Errorf("its head is missing: %w", bucket.ErrChanged)

// current proves that the head is not a stale one: a store may answer so, and a false
// alarm would stop the whole hub. The error is bucket.ErrChanged if it may be stale.
func (h *Hub) current(ctx context.Context, s *Shipment, c transparency.Checkpoint, head *Head, version bucket.Version) error {
	if head == nil {
		// Before a signature leaves the hub, the checkpoint is there.
		err := h.store.Swap(ctx, checkpointName(c.Journal, c.Size), s.Cosigned, "")
		if errors.Is(err, bucket.ErrChanged) {
			err = errLost
		}
		return err
	}
	next := *head
	next.Seen = h.now()
	return h.store.Swap(ctx, headsDir+head.Journal, next.encode(), version)
}

func (h *Hub) stop(r *Rollback) {
	if h.stopped.Swap(r) == nil {
		h.log.Error("the hub signs nothing from here on", "reason", r.String())
	}
}

// checkRollback reads what another hub over this store, or this one before, has noted.
func (h *Hub) checkRollback(ctx context.Context) error {
	data, _, err := h.store.Get(ctx, rollbacksDir+h.key.id())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var r Rollback
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("%s: %w", rollbacksDir+h.key.id(), err)
	}
	h.stop(&r)
	return nil
}
