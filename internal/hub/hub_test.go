package hub_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/hub"
	"github.com/autonomyops/edged/internal/hub/bucket"
	"github.com/autonomyops/edged/internal/ship"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/machine"
)

// A rig is a hub over a store in a folder, behind HTTP.
type rig struct {
	*testing.T
	store  bucket.Store
	dir    string
	key    *hub.Key
	hub    *hub.Hub
	server *httptest.Server
	policy hub.Policy
	limits hub.Limits
	stop   context.CancelFunc
	quiet  bool // the hub makes no views
}

// memory returns a directory in memory, where a sync costs nothing; on disk if there is none.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "edged-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newRig(t *testing.T) *rig {
	key, _, err := hub.GenerateKey("hub.test")
	historytest.Check(t, err)
	r := &rig{T: t, dir: filepath.Join(memory(t), "store"), key: key, policy: hub.DefaultPolicy(), limits: hub.DefaultLimits()}
	r.start()
	return r
}

// start starts a hub over the folder.
func (r *rig) start() {
	r.Helper()
	store, err := bucket.OpenFolder(r.dir)
	historytest.Check(r.T, err)
	r.serve(store, &hub.Access{Open: true})
}

func (r *rig) serve(store bucket.Store, a *hub.Access) {
	r.Helper()
	r.store = store
	ctx, cancel := context.WithCancel(context.Background())
	h, err := hub.New(ctx, store, r.key, slog.New(slog.DiscardHandler))
	historytest.Check(r.T, err)
	done := make(chan struct{})
	if r.quiet {
		close(done)
	} else {
		go func() { h.Run(ctx); close(done) }()
	}
	s := &hub.Server{Hub: h, Access: a, Policy: r.policy, Limits: r.limits}
	r.hub, r.server = h, httptest.NewServer(s.Handler())
	r.stop = func() { r.server.Close(); cancel(); <-done }
	r.Cleanup(func() { r.stop() })
}

// again ends the hub and starts another one over the same folder.
func (r *rig) again() {
	r.Helper()
	r.stop()
	r.quiet = false
	r.start()
}

// node returns the state of a node from the store alone.
func (r *rig) node(name string) hub.Node {
	r.Helper()
	f, err := hub.ReadFleet(r.Context(), r.store, r.policy)
	historytest.Check(r.T, err)
	for _, n := range f.Nodes {
		if n.Name == name {
			return n
		}
	}
	r.Fatalf("the hub does not know %s: %+v", name, f)
	panic("")
}

// is checks the states of a node. That every history of these tests skips the mount check,
// and is flagged for it, is left out.
func (r *rig) is(name string, want ...hub.State) hub.Node {
	r.Helper()
	n := r.node(name)
	states := slices.DeleteFunc(slices.Clone(n.States), func(s hub.State) bool { return s == hub.Flagged })
	if len(states) == 0 {
		states = []hub.State{hub.Alive}
	}
	if !slices.Equal(states, want) {
		r.Errorf("%s is %q, want %q: %q", name, n.States, want, n.Reasons)
	}
	return n
}

// A device is a node with its state root, and what it keeps of the hub.
type device struct {
	*historytest.History
	t         *testing.T
	key       transparency.Signer
	kept      string
	rotations [][]byte
}

func newDevice(t *testing.T) *device {
	key, err := transparency.GenerateSigner("n")
	historytest.Check(t, err)
	d := &device{History: historytest.New(t, t.TempDir()), t: t, key: key, kept: memory(t)}
	d.First()
	return d
}

// boots appends boots that find their baseline.
func (d *device) boots(n int) *device {
	d.t.Helper()
	for range n {
		d.Match()
	}
	return d
}

// ship ships to a hub.
func (d *device) ship(r *rig) ship.Result {
	d.t.Helper()
	d.Stop()
	return shipFrom(d.t, d.Dir, d.kept, d.key, r, d.rotations)
}

// id returns the journal's id, as the hub has it.
func (d *device) id() string { return d.State.Journal }

// rotate changes the checkpoint key, by a statement that the old key signs.
func (d *device) rotate() {
	d.t.Helper()
	next, err := transparency.GenerateSigner("n")
	historytest.Check(d.t, err)
	e, err := transparency.Rotate(d.State.Journal, d.key, next)
	historytest.Check(d.t, err)
	d.NextBoot()
	d.Append(e)
	d.key, d.rotations = next, append(d.rotations, transparency.Note(e))
}

// replaceKey changes the checkpoint key without the old one.
func (d *device) replaceKey() {
	d.t.Helper()
	next, err := transparency.GenerateSigner("n")
	historytest.Check(d.t, err)
	d.NextBoot()
	d.Append(machine.KeyReplaced{V: 1, Purpose: machine.PurposeCheckpoint, OldKey: d.key.Verifier().BLAKE3(), NewKey: next.Verifier().BLAKE3(), By: "op", Reason: "lost"})
	d.key = next
}

func shipFrom(t *testing.T, path, kept string, key transparency.Signer, r *rig, rotations [][]byte) ship.Result {
	t.Helper()
	src, err := history.Open(path)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	res, err := shipSource(t, src, kept, key, r.server.URL, r.key.Public(), rotations)
	historytest.Check(t, err)
	return res
}

func shipSource(t *testing.T, src transparency.Source, kept string, key transparency.Signer, url, public string, rotations [][]byte) (ship.Result, error) {
	t.Helper()
	tree, err := transparency.Build(t.Context(), src, src.Tip().Seq, nil)
	historytest.Check(t, err)
	file := filepath.Join(t.TempDir(), "ship.yaml")
	historytest.Check(t, os.WriteFile(file, []byte("checkpoints: "+kept+"\nhub:\n  url: "+url+"\n  key: "+public+"\n"), 0o600))
	c, err := ship.Load(file)
	historytest.Check(t, err)
	_, res, err := ship.Ship(t.Context(), c, tree, ship.Node{Key: key, Rotations: func() ([][]byte, error) { return rotations, nil }})
	if res == nil {
		return ship.Result{}, err
	}
	return *res, err
}

func (d *device) must(r *rig, want ship.Outcome) ship.Result {
	d.t.Helper()
	res := d.ship(r)
	if res.Outcome != want {
		d.t.Fatalf("%+v, want %s", res, want)
	}
	return res
}

func TestShipToHub(t *testing.T) {
	r, d := newRig(t), newDevice(t)
	for range 5 {
		d.must(r, ship.Cosigned)
		d.boots(3)
	}
	d.Reconstruct(historytest.NewOS, 1)
	res := d.must(r, ship.Cosigned)
	d.must(r, ship.Cosigned) // nothing is new
	d.Stop()
	src, err := history.Open(d.Dir)
	historytest.Check(t, err)
	defer src.Close() //nolint:errcheck // read-only
	if res.Size != src.Tip().Seq {
		t.Errorf("%d records are cosigned, want %d", res.Size, src.Tip().Seq)
	}
	j, err := hub.OpenJournal(t.Context(), r.store, src.ID())
	historytest.Check(t, err)
	var held, want strings.Builder
	_, err = j.WriteTo(&held)
	historytest.Check(t, err)
	for raw, err := range src.RawRecords(1, src.Tip().Seq) {
		historytest.Check(t, err)
		want.Write(raw.Raw)
		want.WriteByte('\n')
	}
	if held.String() != want.String() {
		t.Error("the hub holds other records")
	}
	n := r.is(historytest.Node, hub.Alive)
	if n.Epoch != 1 || n.Records != src.Tip().Seq || n.Boot == nil || n.Boot.Outcome != "passed" || n.System == "" || n.Kernel == "" {
		t.Errorf("%+v", n)
	}
}

// files lists what the device has kept of the hub.
func (d *device) files() (names []string) {
	d.t.Helper()
	entries, err := os.ReadDir(d.kept)
	historytest.Check(d.t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
