// Package historytest writes histories for tests: real journals, written as a
// gate writes them, of events that the machine accepts. A test may also append
// events that it does not accept (History.Wild).
package historytest

import (
	"crypto/ed25519"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// Fingerprints of two operating systems.
var (
	OldOS = strings.Repeat("a", 64)
	NewOS = strings.Repeat("b", 64)
)

// layout is that of a state root, with a small tail, which is created faster.
var layout = func() journal.Layout {
	l := journal.DefaultLayout()
	l.TailLength = 1 << 20
	return l
}()

// Node is the node's name in each history before a rename.
const Node = "test-node"

// History is a history that is being written. It is never flushed to the disk.
type History struct {
	t     testing.TB
	Dir   string // the state root
	FS    *durable.Root
	State machine.State // after the newest event that the machine accepted
	Key   ed25519.PrivateKey
	Wild  bool // append events that the machine does not accept
	w     *journal.Writer
	run   string
	now   time.Time
	boot  int
}

// New creates a state root in dir and begins a history in it.
func New(t testing.TB, dir string) *History {
	t.Helper()
	fsys, err := durable.OpenRoot(dir)
	Check(t, err)
	Check(t, stateroot.CreateDirs(fsys))
	h := &History{t: t, Dir: dir, FS: fsys, State: machine.NewFold(machine.State{}).State(),
		Key: Key("manifest"), now: time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)}
	t.Cleanup(h.Close)
	h.NextBoot()
	return h
}

// Key returns the key pair that is derived from name.
func Key(name string) ed25519.PrivateKey {
	seed := blake3.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Hash returns the BLAKE3 of data in lower-case hex.
func Hash(data []byte) string {
	return digest.Of(data)
}

// Check ends the test on an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// NextBoot begins another run, an hour later.
func (h *History) NextBoot() {
	h.now = h.now.Add(time.Hour)
	h.boot++
	h.run = h.id().String()
}

func (h *History) id() uuid.UUID {
	id, err := uuid.NewV7()
	Check(h.t, err)
	return id
}

// At sets the wall clock.
func (h *History) At(t time.Time) { h.now = t }

// Append journals p.
func (h *History) Append(p machine.Payload) record.Record {
	h.t.Helper()
	data, err := machine.Encode(p)
	Check(h.t, err)
	epoch := h.State.Epoch
	if r, ok := p.(machine.EpochRotated); ok {
		epoch = r.BootEpoch
	}
	h.now = h.now.Add(time.Second)
	return h.Write(record.Entry{ID: h.id(), Type: string(p.Kind()), Crit: machine.Critical(p.Kind()), Time: h.now,
		BootID: uuid.NewSHA1(uuid.Nil, []byte{byte(h.boot)}).String(), UptimeMS: 1000, Run: h.run, Node: h.node(), Epoch: epoch, Data: data})
}

// node returns the node's current name.
func (h *History) node() string {
	if h.State.Node == "" {
		return Node
	}
	return h.State.Node
}

// Write journals an entry unchanged.
func (h *History) Write(e record.Entry) record.Record {
	h.t.Helper()
	var rec record.Record
	var err error
	if h.w == nil && h.State.Seq == 0 {
		h.w, rec, err = journal.Create(Unflushed{h.FS}, layout, e, journal.CreateOptions{})
	} else {
		h.open()
		if rec, err = h.w.Append(e); errors.Is(err, journal.ErrTailFull) {
			h.Settle(h.State)
			rec, err = h.w.Append(e)
		}
	}
	Check(h.t, err)
	event, err := replay.Event(rec)
	var next machine.State
	if err == nil {
		next, err = machine.Apply(h.State, event)
	}
	switch {
	case err == nil:
		h.State = next
	case !h.Wild:
		h.t.Fatal(err)
	}
	return rec
}

// Entry returns a plain entry of this kind, for the test to change and write.
func (h *History) Entry(kind string, crit bool) record.Entry {
	return record.Entry{ID: h.id(), Type: kind, Crit: crit, Time: h.now, BootID: uuid.Nil.String(), UptimeMS: 1,
		Run: h.run, Node: h.node(), Epoch: h.State.Epoch, Data: []byte(`{"v":1}`)}
}

func (h *History) open() {
	h.t.Helper()
	if h.w != nil {
		return
	}
	v, err := journal.OpenView(Unflushed{h.FS}, layout)
	Check(h.t, err)
	act, err := v.CheckHead(nil)
	Check(h.t, err)
	h.w, err = journal.OpenWriter(v, act, "")
	Check(h.t, err)
}

// Settle moves the records into Pebble with s as the snapshot of the newest
// record, and appends the SnapshotTaken that vouches for it.
func (h *History) Settle(s machine.State) { h.t.Helper(); h.Forge(s, s) }

// Forge settles with stored as the snapshot of the newest record, and appends a
// SnapshotTaken for vouched.
func (h *History) Forge(stored, vouched machine.State) {
	h.t.Helper()
	h.open()
	data, err := machine.EncodeState(stored)
	Check(h.t, err)
	of := h.w.Tip().Seq
	Check(h.t, h.w.Settle(data))
	data, err = machine.EncodeState(vouched)
	Check(h.t, err)
	h.Append(machine.SnapshotTaken{V: 1, Of: of, BLAKE3: Hash(data)})
}

// Stop closes the journal as a gate does at the end of its run. Append opens it
// again.
func (h *History) Stop() {
	h.t.Helper()
	if h.w != nil {
		Check(h.t, h.w.Close())
		h.w = nil
	}
}

// Publish stops and writes the projections, as a gate does.
func (h *History) Publish() {
	h.t.Helper()
	h.Stop()
	files, err := projections.Read(h.FS)
	Check(h.t, err)
	Check(h.t, projections.Publish(Unflushed{h.FS}, h.State, files, h.now.UnixNano()))
}

// Copy stops, copies the state root to dir, and returns the history that continues there.
func (h *History) Copy(dir string) *History {
	h.t.Helper()
	h.Stop()
	Check(h.t, os.CopyFS(dir, os.DirFS(h.Dir)))
	fsys, err := durable.OpenRoot(dir)
	Check(h.t, err)
	c := *h
	c.Dir, c.FS = dir, fsys
	h.t.Cleanup(c.Close)
	return &c
}

// Close closes the journal and the state root.
func (h *History) Close() {
	var err error
	if h.w != nil {
		err = h.w.Close()
		h.w = nil
	}
	if h.FS != nil {
		err = errors.Join(err, h.FS.Close())
		h.FS = nil
	}
	if err != nil {
		h.t.Error(err)
	}
}
