package hub_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// A hub that is away for a hundred boots gets everything afterwards, once.
func TestAwayForHundredBoots(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.must(r, ship.Cosigned)
	r.server.Close()
	for range 100 {
		d.boots(1).must(r, ship.Away)
	}
	r.again()
	res := d.must(r, ship.Cosigned)
	if res.Size != 101 || d.State.Seq != 101 {
		t.Errorf("%d records are cosigned of %d, want 101", res.Size, d.State.Seq)
	}
	d.must(r, ship.Cosigned)
	r.intact(101, "afterwards")
	if n := r.is(historytest.Node, hub.Alive); n.Records != 101 || len(n.Others) != 0 {
		t.Errorf("%+v", n)
	}
}

// A backlog longer than one request goes by intermediate checkpoints. A node whose key was
// rotated in it ships all of it with the new key.
func TestLongBacklog(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(8300)
	d.rotate()
	d.boots(50)
	d.must(r, ship.Cosigned)
	r.intact(d.State.Seq, "afterwards")
	if files := d.files(); len(files) != 2 {
		t.Errorf("%q are kept, want two checkpoints", files)
	}
	// The node that lost what it kept, and knows nothing of the hub, finds out.
	d.kept = memory(t)
	d.boots(1).must(r, ship.Cosigned)
	r.intact(d.State.Seq, "at the end")
}

// What a new journal says of the one before it is compared with what the hub holds.
func TestContinuation(t *testing.T) {
	serial := int64(1)
	for name, tt := range map[string]struct {
		lost   string
		size   uint64 // that the new journal claims, of the 5 records
		forged bool
		want   []hub.State
		reason string
	}{
		"salvaged":              {"records 6 to 7", 5, false, []hub.State{hub.Salvaged}, "lost: records 6 to 7"},
		"salvaged, fewer":       {"record 5", 4, false, []hub.State{hub.Salvaged}, "the hub holds 1 records of that one after them"},
		"salvaged, but forged":  {"record 6", 5, true, []hub.State{hub.Unsound, hub.Salvaged}, "but the hub holds"},
		"continued":             {"records 5 to 5, " + replay.LostByCheckpoint + "5 records with root x", 4, false, []hub.State{hub.Continued}, "by edgectl journal continue"},
		"of more than was seen": {"none", 9, false, []hub.State{hub.Salvaged}, "of which 9 records were kept"},
	} {
		t.Run(name, func(t *testing.T) {
			r, d := newRig(t), newDevice(t)
			d.boots(4).must(r, ship.Cosigned)
			j, err := hub.OpenJournal(t.Context(), r.store, d.id())
			historytest.Check(t, err)
			hash := strings.Repeat("0", 64)
			if rec, err := j.Record(tt.size); err == nil && !tt.forged {
				hash = rec.Hash.String()
			}
			next := newSalvaged(t, machine.JournalSalvaged{V: 1, Predecessor: d.id(), Size: tt.size, LastHash: hash, Lost: tt.lost, Epoch: 1, Serial: &serial, By: "op", Reason: "r"})
			next.must(r, ship.Cosigned)
			n := r.is(historytest.Node, tt.want...)
			if !strings.Contains(strings.Join(n.Reasons, "; "), tt.reason) {
				t.Errorf("%q, want %q", n.Reasons, tt.reason)
			}
			same(t, r, n)
		})
	}
}

func newSalvaged(t *testing.T, p machine.JournalSalvaged) *device {
	d := newDevice(t)
	d.History = historytest.New(t, t.TempDir())
	d.Begin(p, p.Epoch)
	d.NextBoot()
	d.Append(d.Capture(machine.RoleDiffers, historytest.OldOS))
	return d
}

// A record that no gate can have written is reported.
func TestUnsound(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.Wild = true
	d.Append(machine.OpApplied{V: 1, Op: "copy_binary", Dst: "runtime/x", BLAKE3: strings.Repeat("0", 64), Mode: "0755"})
	d.must(r, ship.Cosigned)
	n := r.is(historytest.Node, hub.Unsound)
	same(t, r, n)
	d.boots(1).must(r, ship.Cosigned)
	r.is(historytest.Node, hub.Unsound)
	if _, err := uuid.Parse(d.id()); err != nil {
		t.Error(err)
	}
}

// A journal that was removed stays known, takes no records, and cannot be read.
func TestForget(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.boots(2).must(r, ship.Cosigned)
	n, err := hub.Forget(t.Context(), r.store, d.id(), hub.NewForgotten("op", "depot closed"))
	if err != nil || n != 1 {
		t.Fatalf("%d objects, %v", n, err)
	}
	if res := d.boots(1).ship(r); res.Outcome != ship.Away || !strings.Contains(res.Detail, "depot closed") {
		t.Errorf("%+v", res)
	}
	if _, err := hub.OpenJournal(t.Context(), r.store, d.id()); !errors.Is(err, hub.ErrForgotten) || !strings.Contains(err.Error(), "depot closed") {
		t.Error(err)
	}
	c, err := hub.Check(t.Context(), r.store, d.id(), nil, true)
	if err != nil || !c.OK || len(c.Findings) != 1 || c.Findings[0].Code != hub.CodeNotHolding {
		t.Errorf("%+v, %v", c, err)
	}
	f, err := hub.ReadFleet(t.Context(), r.store, r.policy)
	if err != nil || len(f.Nodes) != 0 || f.Records != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := hub.Forget(t.Context(), r.store, uuid.NewString(), hub.NewForgotten("op", "x")); !errors.Is(err, hub.ErrUnknown) {
		t.Error(err)
	}
}

// unreliable is a store that answers some requests with errors, with what was there before,
// or after it did what it reports as failed.
type unreliable struct {
	bucket.Store
	mu    sync.Mutex
	rng   *rand.Rand
	older map[string][]stale
}

type stale struct {
	data    []byte
	version bucket.Version
}

var errStore = errors.New("the store failed")

func (u *unreliable) chance(percent int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.rng.IntN(100) < percent
}

func (u *unreliable) Get(ctx context.Context, name string) ([]byte, bucket.Version, error) {
	if u.chance(5) {
		return nil, "", errStore
	}
	data, version, err := u.Store.Get(ctx, name)
	u.mu.Lock()
	defer u.mu.Unlock()
	if before := u.older[name]; len(before) > 0 && u.rng.IntN(100) < 20 {
		old := before[u.rng.IntN(len(before))]
		return old.data, old.version, nil
	}
	if err == nil {
		u.older[name] = append(u.older[name], stale{data, version})
	}
	return data, version, err
}

func (u *unreliable) Put(ctx context.Context, name string, data []byte) error {
	switch {
	case u.chance(5):
		return errStore
	case u.chance(5):
		return errors.Join(errStore, u.Store.Put(ctx, name, data))
	}
	return u.Store.Put(ctx, name, data)
}

func (u *unreliable) Swap(ctx context.Context, name string, data []byte, old bucket.Version) error {
	switch {
	case u.chance(5):
		return errStore
	case u.chance(5):
		return errors.Join(errStore, u.Store.Swap(ctx, name, data, old))
	}
	return u.Store.Swap(ctx, name, data, old)
}

// A store that fails, answers with older content, or does what it says it did not, delays
// nodes. It loses nothing that was signed, and accuses nobody.
func TestUnreliableStore(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		r := newRig(t)
		r.stop()
		store, err := bucket.OpenFolder(r.dir)
		historytest.Check(t, err)
		u := &unreliable{Store: store, rng: rand.New(rand.NewPCG(seed, 1)), older: map[string][]stale{}} //nolint:gosec // faults
		r.quiet = true
		r.serve(u, &hub.Access{Open: true})
		devices := []*device{newDevice(t), newDevice(t)}
		cosigned := 0
		for range 40 {
			for _, d := range devices {
				switch res := d.boots(1).ship(r); res.Outcome {
				case ship.Cosigned:
					cosigned++
				case ship.Away:
				default:
					t.Fatalf("seed %d: %+v", seed, res)
				}
			}
		}
		if cosigned == 0 || cosigned == 80 {
			t.Errorf("seed %d: %d of 80 shipments were cosigned", seed, cosigned)
		}
		r.again()
		for _, d := range devices {
			d.must(r, ship.Cosigned)
		}
		r.intact(devices[0].State.Seq, "afterwards")
		n := r.node(historytest.Node)
		if len(n.Conflicts) > 0 {
			t.Errorf("seed %d: %+v", seed, n.Conflicts)
		}
		r.stop()
	}
}

// The hub signs nothing while its newest signature is far ahead of its clock, and never goes
// back behind it.
func TestClock(t *testing.T) {
	for ahead, want := range map[time.Duration]ship.Outcome{10 * time.Minute: ship.Away, time.Minute: ship.Cosigned} {
		r, d := newRig(t), newDevice(t)
		d.must(r, ship.Cosigned)
		r.stop()
		name := "heads/" + d.id()
		data, version, err := r.store.Get(t.Context(), name)
		historytest.Check(t, err)
		var head map[string]any
		historytest.Check(t, json.Unmarshal(data, &head))
		newest := time.Now().Add(ahead).UTC().Truncate(time.Second)
		head["signed"] = newest.Format(time.RFC3339)
		data, err = json.Marshal(head)
		historytest.Check(t, err)
		historytest.Check(t, r.store.Swap(t.Context(), name, data, version))
		r.start()
		res := d.boots(1).must(r, want)
		if want == ship.Away && !strings.Contains(res.Detail, "clock is wrong") || want == ship.Cosigned && !res.Time.Equal(newest) {
			t.Errorf("%+v, want %s", res, newest)
		}
	}
}

// Nodes that do not ship are behind, silent, or were never seen.
func TestSilence(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.must(r, ship.Cosigned)
	for state, policy := range map[hub.State]hub.Policy{
		hub.Alive:  {Behind: time.Hour, Silent: 2 * time.Hour},
		hub.Behind: {Behind: time.Nanosecond, Silent: time.Hour},
		hub.Silent: {Behind: time.Nanosecond, Silent: time.Nanosecond},
	} {
		r.policy = policy
		r.is(historytest.Node, state)
	}
	r.policy = hub.DefaultPolicy()
	r.policy.Inventory = []string{"depot-9", historytest.Node}
	r.is(historytest.Node, hub.Alive)
	r.is("depot-9", hub.NeverSeen)
	f, err := hub.ReadFleet(t.Context(), r.store, r.policy)
	if err != nil || len(f.Nodes) != 2 || f.Counts[hub.NeverSeen] != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

// An export has every record, with the time at which it arrived, sorted by node and sequence.
func TestExport(t *testing.T) {
	r := newRig(t)
	total := uint64(0)
	for range 3 {
		d := newDevice(t)
		d.boots(2).must(r, ship.Cosigned)
		d.boots(3).must(r, ship.Cosigned)
		total += d.State.Seq
	}
	gone := newDevice(t)
	gone.must(r, ship.Cosigned)
	_, err := hub.Forget(t.Context(), r.store, gone.id(), hub.NewForgotten("op", "closed"))
	historytest.Check(t, err)
	dir := t.TempDir()
	out, err := hub.Export(t.Context(), r.store, dir, nil)
	if err != nil || out.Records != total || out.Journals != 3 || len(out.Files) != 1 || len(out.Forgotten) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	type row struct {
		Journal    string `parquet:"journal"`
		Node       string `parquet:"node"`
		Seq        int64  `parquet:"seq"`
		ReceivedAt int64  `parquet:"received_at"`
	}
	rows, err := parquet.ReadFile[row](out.Files[0])
	if err != nil || uint64(len(rows)) != total {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		if i > 0 && r.Journal == rows[i-1].Journal && r.Seq != rows[i-1].Seq+1 || i > 0 && r.Journal != rows[i-1].Journal && r.Seq != 1 {
			t.Errorf("row %d is record %d, after record %d", i, r.Seq, rows[i-1].Seq)
		}
		if at := time.UnixMicro(r.ReceivedAt); time.Since(at) > time.Minute || time.Since(at) < 0 {
			t.Errorf("record %d was received at %s", r.Seq, at)
		}
	}
	if _, err := hub.Export(t.Context(), r.store, dir, nil); !errors.Is(err, hub.ErrNotEmpty) {
		t.Errorf("into the same directory: %v", err)
	}
	none, err := hub.MatchNode("depot-*")
	historytest.Check(t, err)
	if out, err := hub.Export(t.Context(), r.store, t.TempDir(), none); err != nil || out.Records != 0 || len(out.Files) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

// recordsAway is a store whose records cannot be read for now.
type recordsAway struct{ bucket.Store }

func (a recordsAway) Get(ctx context.Context, name string) ([]byte, bucket.Version, error) {
	if strings.HasPrefix(name, "records/") {
		return nil, "", errStore
	}
	return a.Store.Get(ctx, name)
}

// A store that is away for a while accuses no node: its records are only not folded yet.
func TestStoreAway(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	r.stop()
	store, err := bucket.OpenFolder(r.dir)
	historytest.Check(t, err)
	r.serve(recordsAway{store}, &hub.Access{Open: true})
	d.must(r, ship.Cosigned)
	for range 20 {
		time.Sleep(10 * time.Millisecond) // the view is tried meanwhile
		if fleet := get(t, r, "/fleet.json"); strings.Contains(fleet, `"state":"unsound"`) {
			t.Fatal(fleet)
		}
	}
	r.is(historytest.Node, hub.Behind)
	r.again()
	same(t, r, r.is(historytest.Node, hub.Alive))
}

// wrongList is a store that lists these heads, as a MinIO does that was killed while it
// wrote others.
type wrongList struct {
	bucket.Store
	heads []string
}

func (l wrongList) List(ctx context.Context, prefix string) iter.Seq2[bucket.Item, error] {
	if prefix != "heads/" {
		return l.Store.List(ctx, prefix)
	}
	return func(yield func(bucket.Item, error) bool) {
		for _, id := range l.heads {
			if !yield(bucket.Item{Name: prefix + id, Stamp: "1"}, nil) {
				return
			}
		}
	}
}

// A head that the store has and does not list is found by its key: no node disappears. One
// that it lists and does not have is left out, unless its key shows that it was lost.
func TestWrongList(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	d.must(r, ship.Cosigned)
	r.stop()
	store, err := bucket.OpenFolder(r.dir)
	historytest.Check(t, err)
	only := []string{d.id()}
	for _, listed := range [][]string{nil, {uuid.NewString()}} {
		r.serve(wrongList{store, listed}, &hub.Access{Open: true})
		same(t, r, r.is(historytest.Node, hub.Alive))
		f, err := hub.ReadFleet(t.Context(), r.store, r.policy)
		if ids, idsErr := hub.Journals(t.Context(), r.store); err != nil || len(f.Nodes) != 1 || idsErr != nil || !slices.Equal(ids, only) {
			t.Errorf("%q listed: %+v, %v; %q, %v", listed, f, err, ids, idsErr)
		}
		r.stop()
	}
	historytest.Check(t, store.Delete(t.Context(), "heads/"+d.id()))
	for _, listed := range [][]string{nil, only} {
		r.serve(wrongList{store, listed}, &hub.Access{Open: true})
		same(t, r, r.is("journal "+d.id(), hub.Unsound))
		c, err := hub.Check(t.Context(), r.store, d.id(), nil, false)
		if err != nil || c.OK || !strings.Contains(c.Findings[0].Detail, "lost its head") {
			t.Errorf("%+v, %v", c, err)
		}
		out, err := hub.Export(t.Context(), r.store, t.TempDir(), nil)
		if err != nil || len(out.Damaged) != 1 || out.Damaged[0].Journal != d.id() {
			t.Errorf("%+v, %v", out, err)
		}
		r.stop()
	}
}
