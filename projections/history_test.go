package projections_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

const (
	journalID = "5f0c1a52-9d0e-4a57-8c6a-2f6f5f0c1a52"
	otherID   = "0b0b0b0b-9d0e-4a57-8c6a-2f6f5f0c1a52"
	osText    = "ID=ubuntu\nVERSION_ID=24.04\nPRETTY_NAME=\"<Ubuntu> & söns\"\n"
)

var (
	start  = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	serial = int64(7)
)

// hash64 returns a made-up hash; only equality matters.
func hash64(tag string, n int) string { return fmt.Sprintf("%064x", fmt.Sprintf("%s%d", tag, n)) }

// history drives the real fold, so that the states judged here are states that a
// gate reaches.
type history struct {
	t      *testing.T
	id     string
	fold   *machine.Fold
	events []machine.Event
	run    int
}

func newHistory(t *testing.T, id string) *history {
	return &history{t: t, id: id, fold: machine.NewFold(machine.State{})}
}

func (h *history) state() machine.State { return h.fold.State() }

func (h *history) add(p machine.Payload) machine.Event {
	h.t.Helper()
	seq := len(h.events) + 1
	e := machine.Event{Payload: p, Meta: machine.Meta{
		Journal: h.id, Seq: uint64(seq), Hash: hash64(h.id[:4], seq), Prev: hash64(h.id[:4], seq-1), Kind: p.Kind(),
		Time: start.Add(time.Duration(seq) * time.Second), Run: fmt.Sprint("run-", h.run), Node: "node", Epoch: h.state().Epoch,
	}}
	switch p := p.(type) {
	case machine.EpochRotated:
		e.Epoch = p.BootEpoch
	case machine.LegacyStateAdopted:
		e.Epoch = p.BootEpoch
	case machine.JournalSalvaged:
		e.Epoch = p.Epoch
	}
	if err := h.fold.Apply(e); err != nil {
		h.t.Fatal(err)
	}
	h.events = append(h.events, e)
	return e
}

func (h *history) lookup(seq uint64) (machine.Event, error) {
	if seq == 0 || seq > uint64(len(h.events)) {
		return machine.Event{}, fmt.Errorf("no record %d", seq)
	}
	return h.events[seq-1], nil
}

func captured(role machine.Role, n int) machine.FingerprintCaptured {
	p := machine.FingerprintCaptured{V: 1, Role: role, CompositeHash: hash64("os", n), Inputs: machine.Inputs{UnameRelease: fmt.Sprint("6.8.0-", n)}}
	if role != machine.RoleMatch {
		text, at := osText, start.Add(time.Duration(n)*time.Hour)
		p.OSRelease, p.CapturedAt = &text, &at
	}
	return p
}

func (h *history) initial() *history {
	h.run++
	h.add(captured(machine.RoleInitial, 0))
	return h
}

// detect opens a reconstruction to operating system n.
func (h *history) detect(n int, cause machine.Cause) *history {
	h.run++
	h.add(captured(machine.RoleDiffers, n))
	h.add(machine.UpdateDetected{V: 1, Cause: cause, Causes: []machine.Cause{cause}, CurrentHash: hash64("os", n), Attempt: 1})
	return h
}

// complete rotates the epoch that detect opened; replaced is the fingerprint
// file as found.
func (h *history) complete(n, ops int, replaced string) *history {
	h.add(machine.ManifestVerified{V: 1, ManifestHash: hash64("manifest", n), KeyBLAKE3: hash64("key", 1), Operations: ops})
	for i := range ops {
		h.add(machine.OpApplied{
			V: 1, Index: i, Op: "copy_binary", Src: fmt.Sprint("edged-", i), Dst: fmt.Sprint("runtime/<edged>-", i), Bytes: 1234,
			BLAKE3: hash64("binary", i), Mode: "0755", HashPinned: i%2 == 0, AlreadyInPlace: i%2 == 1,
		})
	}
	epoch := h.state().Epoch + 1
	rotated := machine.EpochRotated{
		V: 1, BootEpoch: epoch, ManifestHash: hash64("manifest", n), RotatedAt: start.Add(time.Duration(epoch) * time.Minute).Add(123456789),
		OSFingerprint: machine.OSFingerprint{
			CompositeHash: hash64("os", n), OSRelease: osText, UnameRelease: fmt.Sprint("6.8.0-", n), BootEpoch: epoch, CapturedAt: start,
		},
		ReplacedFileBLAKE3: replaced,
	}
	if ops > 0 {
		rotated.ManifestSerial, rotated.BinaryHash, rotated.ConfigHash = &serial, hash64("bin", n), hash64("config", n)
		rotated.OSReleaseTruncated = true
	}
	h.add(rotated)
	return h
}

func (h *history) epoch(n, ops int) *history {
	return h.detect(n, machine.CauseOSChanged).complete(n, ops, "")
}

func fingerprintOf(t *testing.T, s machine.State) []byte {
	t.Helper()
	data, err := projections.Fingerprint(s.Journal, *s.Baseline)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func evidenceOf(t *testing.T, r *machine.EpochRecord) []byte {
	t.Helper()
	data, err := projections.Evidence(*r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
