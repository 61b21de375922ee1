package hub_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/ship"
)

// Two hubs over one store take the shipments of several nodes, while others read, verify and
// look: each reader sees a whole prefix of what was written, and nobody is accused.
func TestCrowd(t *testing.T) {
	r := newRig(t)
	second := &rig{T: t, dir: r.dir, key: r.key, policy: r.policy, limits: r.limits}
	second.start()
	hubs := []*rig{r, second}
	type shipment struct {
		kind string
		body []byte
	}
	const boots = 30
	type node struct {
		id        string
		whole     string
		shipments []shipment
	}
	var nodes []node
	for range 4 {
		d := newDevice(t)
		n := node{id: d.id()}
		old := uint64(0)
		for range boots {
			parts := form(t, d, old)
			kind, body := encode(t, parts)
			n.shipments, n.whole, old = append(n.shipments, shipment{kind, body}), n.whole+parts["records"], d.State.Seq
			d.boots(1)
		}
		nodes = append(nodes, n)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers, readers sync.WaitGroup
	for _, n := range nodes {
		for try := range 2 { // both hubs get each shipment at about the same time
			writers.Go(func() {
				for i, s := range n.shipments {
					for status := 0; status != http.StatusOK; {
						var text string
						status, text = post(t, http.DefaultClient, hubs[(i+try)%2].server.URL, s.kind, bytes.NewReader(s.body))
						if status == http.StatusConflict && text > "" {
							break // the other one was faster, and the next shipment as well
						}
						if status != http.StatusOK && status != http.StatusConflict && status != http.StatusServiceUnavailable {
							t.Errorf("%d %s", status, text)
							return
						}
					}
				}
			})
		}
		readers.Go(func() {
			for ctx.Err() == nil {
				for _, h := range hubs {
					resp, err := http.Get(h.server.URL + "/edged/" + n.id + "/records.jsonl")
					if err != nil {
						t.Error(err)
						return
					}
					text, err := io.ReadAll(resp.Body)
					_ = resp.Body.Close()
					if resp.StatusCode != http.StatusNotFound && (err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(n.whole, string(text))) {
						t.Errorf("%d, %d bytes: %v", resp.StatusCode, len(text), err)
					}
					_ = get(t, h, "/fleet.json")
					_ = get(t, h, "/metrics")
				}
			}
		})
		readers.Go(func() {
			for ctx.Err() == nil {
				c, err := hub.Check(ctx, r.store, n.id, nil, true)
				if ctx.Err() == nil && !errors.Is(err, hub.ErrUnknown) && (err != nil || !c.OK) {
					t.Errorf("%+v, %v", c, err)
				}
			}
		})
	}
	readers.Go(func() {
		for ctx.Err() == nil {
			f, err := hub.ReadFleet(ctx, r.store, r.policy)
			if ctx.Err() != nil {
				return
			}
			if err != nil || f.Stopped != "" {
				t.Errorf("%+v, %v", f, err)
			}
			for _, n := range f.Nodes {
				if len(n.Conflicts) > 0 || strings.Contains(strings.Join(n.Reasons, ""), "cannot read") {
					t.Errorf("%q %+v", n.Reasons, n.Conflicts)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	writers.Wait()
	stop()
	readers.Wait()
	r.intact(uint64(boots), "at the end")
	_, err := hub.Forget(t.Context(), r.store, nodes[0].id, hub.NewForgotten("op", "closed"))
	historytest.Check(t, err)
}

// What a hub that died has not published, another one does, also if a conflict comes in
// between.
func TestPublishedAfterConflict(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(4).must(r, ship.Cosigned)
	store, err := bucket.OpenFolder(r.dir)
	historytest.Check(t, err)
	dying := &rig{T: t, dir: r.dir, key: r.key, policy: r.policy, limits: r.limits, quiet: true}
	dying.serve(&mortal{Store: store, n: 4}, &hub.Access{Open: true}) // until the head is written
	d.boots(2).must(dying, ship.Away)
	shown(t, r, d, d.rewrite(3, 4), ship.Rewritten)
	d.boots(1).must(r, ship.Cosigned)
	if _, _, err := store.Get(t.Context(), "checkpoints/"+d.id()+"/7"); err != nil {
		t.Error(err)
	}
}

// forgetful is a store in which a journal is removed just before its view is written.
type forgetful struct {
	bucket.Store
	written chan error
}

func (f *forgetful) Put(ctx context.Context, name string, data []byte) error {
	id, ok := strings.CutPrefix(name, "views/")
	if !ok {
		return f.Store.Put(ctx, name, data)
	}
	_, err := hub.Forget(ctx, f.Store, id, hub.NewForgotten("op", "closed"))
	err = errors.Join(err, f.Store.Put(ctx, name, data))
	f.written <- err
	return err
}

// A view that is being made while its journal is removed does not stay: it holds what the
// records say.
func TestForgetWhileFolding(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	r.stop()
	store, err := bucket.OpenFolder(r.dir)
	historytest.Check(t, err)
	f := &forgetful{store, make(chan error, 8)}
	r.serve(f, &hub.Access{Open: true})
	d.boots(2).must(r, ship.Cosigned)
	historytest.Check(t, <-f.written)
	for range 100 {
		if _, _, err = store.Get(t.Context(), "views/"+d.id()); errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("the view is still there: %v", err)
}

// vanishing is a store in which a journal is removed just before its records are folded.
type vanishing struct {
	bucket.Store
	written chan error
}

func (v *vanishing) Get(ctx context.Context, name string) ([]byte, bucket.Version, error) {
	if id, ok := strings.CutPrefix(name, "views/"); ok {
		_, err := hub.Forget(ctx, v.Store, id, hub.NewForgotten("op", "closed"))
		v.written <- err
	}
	return v.Store.Get(ctx, name)
}

// A journal that is removed before it is folded is not one that the hub cannot read.
func TestForgetBeforeFolding(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	r.stop()
	store, err := bucket.OpenFolder(r.dir)
	historytest.Check(t, err)
	v := &vanishing{store, make(chan error, 8)}
	r.serve(v, &hub.Access{Open: true})
	d.boots(2).must(r, ship.Cosigned)
	historytest.Check(t, <-v.written)
	for range 20 {
		if text := get(t, r, "/fleet.json"); strings.Contains(text, "cannot read") {
			t.Fatal(text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
