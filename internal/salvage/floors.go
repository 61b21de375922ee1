package salvage

import (
	"encoding/json"
	"time"

	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// claims are the members of a projection that a floor can come from.
type claims struct {
	BootEpoch     *uint64 `json:"boot_epoch"`
	OSFingerprint struct {
		BootEpoch uint64 `json:"boot_epoch"`
	} `json:"os_fingerprint"`
	Serial    *int64    `json:"manifest_serial"`
	RotatedAt time.Time `json:"rotated_at"`
}

// maxEpoch bounds what is believed of a file: an epoch can be raised by an
// edit, but not so far that it could not advance any more.
const maxEpoch = 1 << 52

// raise lifts the floors to what undamaged projections prove. An edited one
// proves nothing about time or serial, which could lock the node out; its
// epoch counts all the same: an epoch must not go back.
func raise(e *machine.JournalSalvaged, files projections.Files) {
	sound := map[string]bool{}
	for _, ref := range projections.References(files) {
		sound[ref.Path] = true
	}
	for _, found := range []projections.Found{files.Fingerprint, files.Current, files.Previous} {
		var c claims
		if !found.Exists || !found.Readable() || json.Unmarshal(found.Data, &c) != nil {
			continue
		}
		epoch := c.OSFingerprint.BootEpoch
		if c.BootEpoch != nil {
			epoch = max(epoch, *c.BootEpoch)
		}
		if epoch < maxEpoch {
			e.Epoch = max(e.Epoch, epoch)
		}
		if !sound[found.Path] {
			continue
		}
		if c.Serial != nil && (e.Serial == nil || *c.Serial > *e.Serial) {
			e.Serial = c.Serial
		}
		if c.RotatedAt.After(e.TimeFloor) {
			e.TimeFloor = c.RotatedAt.UTC()
		}
	}
}
