package hub

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/verify"
)

// readers is the number of heads that are read at the same time.
const readers = 16

// entry is what the index holds of a journal: of its head, what states are made of.
type entry struct {
	Head      // without runs, times of receipt, edge, checkpoint and keys
	keys      int
	stamp     string
	shipped   bool // its checkpoint and key are published, as this hub knows
	view      *view
	conflicts []Conflict
	// unread is the reason why the head or a conflict cannot be read, and unfolded why the
	// view cannot be made; "" if there is none. The Size of a head that was never read is 0.
	unread, unfolded string
}

// index holds all heads and views in memory, about 1 KiB for each journal.
type index struct {
	mu       sync.Mutex
	entries  map[string]*entry
	complete bool // the store was read once
}

func newIndex() *index { return &index{entries: map[string]*entry{}} }

// brief returns a head without what the index does not need.
func brief(h *Head) Head {
	b := *h
	b.Runs, b.Received, b.Edge, b.Checkpoint, b.Keys = nil, nil, nil, "", nil
	return b
}

// put adds a head that this hub has written. published: so are the files that follow
// from it.
func (x *index) put(h *Head, published bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.entries[h.Journal]
	if e == nil {
		e = &entry{}
		x.entries[h.Journal] = e
	}
	if h.Size < e.Size || h.Conflicts < e.Conflicts {
		return // another request has written a newer one
	}
	e.shipped = e.shipped && e.Size == h.Size && e.keys == len(h.Keys) || published
	e.Head, e.keys, e.stamp, e.unread = brief(h), len(h.Keys), "", ""
}

// putConflicts adds a head that this hub has written because of a conflict, and all
// conflicts of the journal.
func (x *index) putConflicts(h *Head, found []Conflict) {
	x.put(h, false)
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.entries[h.Journal]; len(found) >= len(e.conflicts) {
		e.conflicts = found
	}
}

// published reports whether this hub has published the files of a head.
func (x *index) published(h *Head) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.entries[h.Journal]
	return e != nil && e.shipped && e.Size == h.Size && e.keys == len(h.Keys)
}

// refresh reads the heads that have changed since they were read, and their views. want
// is called for a journal whose view is behind. A head that cannot be read is part of the
// error, and the others are read.
func (x *index) refresh(ctx context.Context, s bucket.Store, want func(id string)) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if len(failed) < 10 {
			failed = append(failed, err)
		}
	}
	items := make(chan bucket.Item)
	for range readers {
		wg.Go(func() {
			for item := range items {
				if err := x.load(ctx, s, item); err != nil {
					fail(err)
				}
			}
		})
	}
	listed := true
	// All of them once: a head that is known stays.
	for item, err := range heads(ctx, s, !x.isComplete()) {
		if err != nil {
			fail(err)
			listed = false
			break
		}
		if stamp := x.stampOf(item.Name); stamp == "" || stamp != item.Stamp {
			items <- item
		}
	}
	close(items)
	wg.Wait()
	for _, id := range x.behind() {
		want(id)
	}
	if listed {
		x.mu.Lock()
		x.complete = true
		x.mu.Unlock()
	}
	return errors.Join(failed...)
}

func (x *index) isComplete() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.complete
}

func (x *index) stampOf(name string) string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.entries[strings.TrimPrefix(name, headsDir)]; e != nil {
		return e.stamp
	}
	return ""
}

func (x *index) load(ctx context.Context, s bucket.Store, item bucket.Item) error {
	id := strings.TrimPrefix(item.Name, headsDir)
	head, _, err := readHeld(ctx, s, id)
	if errors.Is(err, ErrUnknown) {
		return nil // it is listed and not there: see heads
	}
	if err != nil {
		x.setUnread(id, err)
		return err
	}
	var found []Conflict
	unread := ""
	if head.Conflicts > 0 {
		// The head says that there was a conflict, also if the evidence is lost.
		if found, err = conflicts(ctx, s, head); err != nil {
			unread = reason(err)
		}
	}
	v, viewErr := readView(ctx, s, head.Journal) // one that cannot be read is made again
	err = errors.Join(err, viewErr)
	x.mu.Lock()
	e := x.entries[head.Journal]
	if e == nil {
		e = &entry{}
		x.entries[head.Journal] = e
	}
	if head.Size >= e.Size && head.Conflicts >= e.Conflicts {
		e.shipped = e.shipped && e.Size == head.Size && e.keys == len(head.Keys)
		e.Head, e.keys, e.conflicts = brief(head), len(head.Keys), found
		// It is only right if the head was not replaced since the list was made; then
		// the next list has another stamp.
		e.stamp, e.unread = item.Stamp, unread
		if err != nil {
			e.stamp = "" // read it again
		}
	}
	if v != nil && (e.view == nil || v.Size >= e.view.Size) {
		v.Progress = verify.Progress{}
		e.view = v
	}
	x.mu.Unlock()
	return err
}

// setUnread notes that a head cannot be read. What is known of it stays, unless it is
// damaged: the store may only be away.
func (x *index) setUnread(id string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.entries[id]
	if e == nil {
		e = &entry{Head: Head{Journal: id}}
		x.entries[id] = e
	}
	if e.Size == 0 || history.IsDamage(err) || errors.Is(err, errs.ErrNewer) {
		e.unread = reason(err)
	}
}

// setUnfolded notes that the view of a journal cannot be made.
func (x *index) setUnfolded(id string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.entries[id]; e != nil && damaged(err) { // otherwise the store may only be away
		e.unfolded = reason(err)
	}
}

// reason returns an error as a text for the page.
func reason(err error) string {
	text := display.Clean(err.Error())
	return text[:min(len(text), 500)]
}

// behind returns the journals whose view lacks records.
func (x *index) behind() (ids []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, e := range x.entries {
		if e.Size > 0 && e.Forgotten == nil && (e.view == nil || e.view.Size < e.Size) {
			ids = append(ids, id)
		}
	}
	return ids
}

// setView sets the view of a journal.
func (x *index) setView(id string, v *view) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.entries[id]; e != nil && (e.view == nil || v.Size >= e.view.Size) {
		e.view, e.unfolded = v, ""
	}
}

// size returns the number of records that the hub holds of a journal, by the index.
func (x *index) size(id string) uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e := x.entries[id]; e != nil {
		return e.Size
	}
	return 0
}

// newest returns the time of the newest signature.
func (x *index) newest() (at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.entries {
		if e.Signed.After(at) {
			at = e.Signed
		}
	}
	return at
}

// all returns the entries, the journals of each node together, the newest first. complete
// is false if the store was not read to its end yet.
func (x *index) all() (byNode map[string][]entry, complete bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	byNode = map[string][]entry{}
	for e := range maps.Values(x.entries) {
		name := e.Node
		if e.Size == 0 {
			name = "journal " + e.Journal // of a node that is not known
		}
		byNode[name] = append(byNode[name], *e)
	}
	for _, entries := range byNode {
		slices.SortFunc(entries, func(a, b entry) int {
			if c := b.First.Compare(a.First); c != 0 {
				return c
			}
			return strings.Compare(a.Journal, b.Journal)
		})
	}
	return byNode, x.complete
}

// since returns how long ago t is, 0 for the future.
func since(now, t time.Time) time.Duration { return max(now.Sub(t), 0) }
