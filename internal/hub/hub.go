package hub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/autonomyops/edged/internal/hub/bucket"
)

// Hub verifies, keeps and signs what nodes send. Its methods are called from several
// goroutines; several hubs may use one store.
type Hub struct {
	store   bucket.Store
	key     *Key
	log     *slog.Logger
	now     func() time.Time
	index   *index
	views   *views
	stopped atomic.Pointer[Rollback]
}

// New returns a hub over a store. The error is that of the store.
func New(ctx context.Context, s bucket.Store, key *Key, log *slog.Logger) (*Hub, error) {
	h := &Hub{store: s, key: key, log: log, now: func() time.Time { return time.Now().UTC() }, index: newIndex()}
	h.views = newViews(s, h.index, log)
	return h, h.checkRollback(ctx)
}

// refreshEvery is how often the heads that other hubs have written are read.
const refreshEvery = 30 * time.Second

// Run keeps the index and the views up to date until ctx is done. It reads the store in
// the background: a hub answers before it has read all of it.
func (h *Hub) Run(ctx context.Context) {
	var views sync.WaitGroup
	views.Go(func() { h.views.run(ctx) })
	defer views.Wait()
	for {
		if err := h.refresh(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("the store cannot be read", "store", h.store.String(), "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(refreshEvery):
		}
	}
}

func (h *Hub) refresh(ctx context.Context) error {
	return errors.Join(h.index.refresh(ctx, h.store, h.views.want), h.checkRollback(ctx))
}
