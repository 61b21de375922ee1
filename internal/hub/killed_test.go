package hub_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync"
	"testing"

	"filippo.io/torchwood"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/internal/transparency"
)

var errKilled = errors.New("the hub was killed")

// mortal is a store whose user is killed at its n-th write: before it, or after it has
// taken effect and before the user learns of it.
type mortal struct {
	bucket.Store
	mu     sync.Mutex
	n      int // writes that are left; negative for no end
	after  bool
	killed bool
}

func (m *mortal) write(do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.killed {
		return errKilled
	}
	if m.n == 0 {
		m.killed = true
		if m.after {
			_ = do()
		}
		return errKilled
	}
	m.n--
	return do()
}

func (m *mortal) Put(ctx context.Context, name string, data []byte) error {
	return m.write(func() error { return m.Store.Put(ctx, name, data) })
}

func (m *mortal) Swap(ctx context.Context, name string, data []byte, old bucket.Version) error {
	return m.write(func() error { return m.Store.Swap(ctx, name, data, old) })
}

func (m *mortal) Delete(ctx context.Context, name string) error {
	return m.write(func() error { return m.Store.Delete(ctx, name) })
}

func (m *mortal) Get(ctx context.Context, name string) ([]byte, bucket.Version, error) {
	if m.dead() {
		return nil, "", errKilled
	}
	return m.Store.Get(ctx, name)
}

func (m *mortal) List(ctx context.Context, prefix string) iter.Seq2[bucket.Item, error] {
	return m.Store.List(ctx, prefix)
}

func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.killed
}

// The hub is killed at each of its writes, in every kind of request. What it has signed is
// there afterwards, everything that is there verifies, and the node's next shipment succeeds.
func TestHubKilled(t *testing.T) {
	type world struct {
		*rig
		d *device
	}
	for name, tt := range map[string]struct {
		before, request func(w *world, r *rig)
		want            ship.Outcome // of the next shipment
	}{
		"the first shipment": {nil, func(w *world, r *rig) { w.d.ship(r) }, ship.Cosigned},
		"more records": {func(w *world, r *rig) { w.d.must(r, ship.Cosigned); w.d.boots(3) },
			func(w *world, r *rig) { w.d.ship(r) }, ship.Cosigned},
		"a conflict": {func(w *world, r *rig) {
			clone := w.d.copy(true)
			w.d.boots(2).must(r, ship.Cosigned)
			w.d = clone.boots(3)
		}, func(w *world, r *rig) { w.d.ship(r) }, ship.Rewritten},
		"an older copy": {func(w *world, r *rig) {
			clone := w.d.copy(true)
			w.d.boots(2).must(r, ship.Cosigned)
			w.d = clone
		}, func(w *world, r *rig) { w.d.ship(r) }, ship.RolledBack},
		"a new key": {func(w *world, r *rig) { w.d.must(r, ship.Cosigned); w.d.rotate(); w.d.boots(1) },
			func(w *world, r *rig) { w.d.ship(r) }, ship.Cosigned},
		"an accepted key": {func(w *world, r *rig) { w.d.must(r, ship.Cosigned); w.d.replaceKey(); w.d.boots(1) },
			func(w *world, r *rig) {
				_, _ = hub.AcceptKey(context.Background(), r.store, w.d.id(), w.d.key.Verifier().String())
				w.d.ship(r)
			}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				ended := false
				for _, after := range []bool{false, true} {
					w := &world{rig: newRig(t), d: newDevice(t)}
					if tt.before != nil {
						tt.before(w, w.rig)
					}
					w.stop()
					store, err := bucket.OpenFolder(w.dir)
					historytest.Check(t, err)
					m := &mortal{Store: store, n: n, after: after}
					w.quiet = true // a view would be one more write
					w.serve(m, &hub.Access{Open: true})
					seen := w.d.seen()
					tt.request(w, w.rig)
					seen = max(seen, w.d.seen())
					ended = !m.dead()
					w.again()
					w.intact(seen, fmt.Sprintf("killed at write %d, after it: %t", n, after))
					if tt.want == "" {
						_, err := hub.AcceptKey(t.Context(), w.store, w.d.id(), w.d.key.Verifier().String())
						historytest.Check(t, err)
						w.d.must(w.rig, ship.Cosigned)
					} else {
						w.d.must(w.rig, tt.want)
					}
					w.intact(w.d.seen(), "afterwards")
					w.stop()
				}
				if ended {
					t.Logf("%d writes", n)
					if n < 2 {
						t.Errorf("the request has %d writes", n)
					}
					return
				}
			}
		})
	}
}

// intact requires that everything in the store verifies, and that it has so many records of
// the device.
func (r *rig) intact(records uint64, when string) {
	r.Helper()
	v, err := torchwood.NewCosignatureVerifier(r.key.Public())
	historytest.Check(r.T, err)
	ids, err := hub.Journals(r.Context(), r.store)
	historytest.Check(r.T, err)
	most := uint64(0)
	for _, id := range ids {
		c, err := hub.Check(r.Context(), r.store, id, []*torchwood.CosignatureVerifier{v}, true)
		if err != nil || !c.OK {
			r.Errorf("%s: %+v, %v", when, c, err)
		}
		most = max(most, c.Records)
	}
	if most < records {
		r.Errorf("%s: the hub has signed %d records, and holds %d", when, records, most)
	}
}

// seen returns the number of records that the hub has signed, as the device has kept it.
func (d *device) seen() uint64 {
	d.t.Helper()
	entries, err := os.ReadDir(d.kept)
	historytest.Check(d.t, err)
	most := uint64(0)
	for _, e := range entries {
		text, err := os.ReadFile(d.kept + "/" + e.Name())
		historytest.Check(d.t, err)
		c, err := transparency.Read(text)
		historytest.Check(d.t, err)
		most = max(most, c.Size)
	}
	return most
}

// Sixteen writers over two hubs race with two histories of one journal: one wins, the other
// is reported, and the winner then grows past the next 256 records.
func TestHubRace(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.must(r, ship.Cosigned)
	second := &rig{T: t, dir: r.dir, key: r.key, policy: r.policy, limits: r.limits}
	second.start()
	other := d.copy(true)
	sides := []*device{d.boots(40), other.boots(50)}
	sources := make([]*remade, 2)
	for i, side := range sides {
		sources[i] = side.rewrite(1<<40, side.State.Seq) // as it is
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for i := range 16 {
		kept := memory(t)
		wg.Go(func() {
			hubs := []*rig{r, second}
			res, err := shipSource(t, sources[i%2], kept, d.key, hubs[i/2%2].server.URL, r.key.Public(), nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			outcomes[fmt.Sprint(i%2, " ", res.Outcome)]++
			if res.Outcome == ship.Away && !strings.Contains(res.Detail, "in progress") && !strings.Contains(res.Detail, "different sizes") {
				t.Errorf("%+v", res)
			}
		})
	}
	wg.Wait()
	t.Logf("%v", outcomes)
	won := [2]int{outcomes["0 cosigned"], outcomes["1 cosigned"]}
	if (won[0] == 0) == (won[1] == 0) {
		t.Fatalf("%v: one history is to win", outcomes)
	}
	winner, loser := sides[0], sides[1]
	if won[0] == 0 {
		winner, loser = loser, winner
	}
	loser.kept = memory(t)
	loser.must(second, ship.Rewritten)
	winner.kept = memory(t)
	winner.boots(256+3).must(r, ship.Cosigned)
	winner.boots(1).must(second, ship.Cosigned)
	r.intact(winner.State.Seq, "after the race")
	r.is(historytest.Node, hub.Cloned)
}
