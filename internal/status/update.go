package status

import (
	"errors"
	"slices"
	"time"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// Update is the reconstruction that began the running epoch.
type Update struct {
	Epoch      uint64          `json:"epoch"`
	Seq        uint64          `json:"seq"` // of its EpochRotated
	Time       time.Time       `json:"time"`
	Causes     []machine.Cause `json:"causes"`  // null if its beginning cannot be read
	Changed    []string        `json:"changed"` // inputs of the fingerprint
	From       *System         `json:"from"`
	To         System          `json:"to"`
	Attempts   int             `json:"attempts"`
	DurationMS int64           `json:"duration_ms"`
	Manifest   string          `json:"manifest_hash"`
	Serial     *int64          `json:"manifest_serial"`
	Operations int             `json:"operations"`
}

// System is an operating system by its names.
type System struct {
	Name   string `json:"name"` // from its os-release
	Kernel string `json:"kernel"`
}

// farthest is the number of records before an EpochRotated in which its
// UpdateDetected is searched: several times those of the largest manifest.
const farthest = 10_000

// lastUpdate returns the update that began the running epoch; nil if none did.
func lastUpdate(src *history.Source, state machine.State) (*Update, error) {
	c := state.Current
	if c == nil {
		return nil, nil
	}
	r := c.Rotated
	u := &Update{Epoch: r.BootEpoch, Seq: c.Meta.Seq, Time: r.RotatedAt, DurationMS: r.DurationMS, Manifest: r.ManifestHash,
		Serial: r.ManifestSerial, Operations: len(c.Operations), Changed: []string{},
		To: System{Name: display.System(r.OSFingerprint.OSRelease), Kernel: r.OSFingerprint.UnameRelease}}
	begun, seq, err := beginning(src, c.Meta.Seq)
	if err != nil || begun == nil {
		return u, err
	}
	u.Causes, u.Attempts = slices.Clone(begun.Causes), begun.Attempt
	u.Changed = append(u.Changed, begun.Changed...)
	before, _, err := replay.State(src, seq-1)
	if err != nil {
		return u, err
	}
	if b := before.Baseline; b != nil {
		u.From = &System{Name: display.System(b.OSRelease), Kernel: b.UnameRelease}
	}
	return u, nil
}

// beginning returns the newest UpdateDetected before an EpochRotated; nil if an
// export does not hold it.
func beginning(src *history.Source, rotated uint64) (*machine.UpdateDetected, uint64, error) {
	first := src.First()
	if rotated > farthest {
		first = max(first, rotated-farthest)
	}
	for seq := rotated; seq > first; {
		seq--
		rec, err := src.Record(seq)
		if errors.Is(err, errs.ErrNotFound) {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if rec.Type != string(machine.KindUpdateDetected) {
			continue
		}
		event, err := replay.Event(rec)
		if err != nil {
			return nil, 0, err
		}
		u, _ := event.Payload.(machine.UpdateDetected)
		return &u, seq, nil
	}
	return nil, 0, nil
}
