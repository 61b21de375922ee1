package gate

import (
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// captured returns the run's FingerprintCaptured. A match has neither text nor
// time, because the baseline has them.
func (r *run) captured(role machine.Role) machine.FingerprintCaptured {
	facts := r.root.Facts()
	e := machine.FingerprintCaptured{
		V: 1, Role: role, CompositeHash: r.live.CompositeHash, Inputs: r.live.Inputs,
		MountCheck: facts.MountCheck, Filesystem: facts.Filesystem,
		Clock: r.clock.event(), Software: r.Software,
	}
	if role != machine.RoleMatch {
		text, at := r.live.OSRelease, r.clock.wall
		e.OSRelease, e.OSReleaseTruncated, e.CapturedAt = &text, r.live.Truncated, &at
	}
	return e
}

// adopted returns the LegacyStateAdopted with the exact files of the journal-less software.
func (r *run) adopted() machine.LegacyStateAdopted {
	legacy, _ := projections.ParseLegacy(r.files.Fingerprint.Data) // classified as well-formed before
	e := machine.LegacyStateAdopted{
		V: 1, BootEpoch: legacy.BootEpoch, CompositeHash: legacy.CompositeHash, File: r.files.Fingerprint.Data,
		RuntimeDrift: r.seen.Drift,
	}
	if found := r.files.Current; found.Readable() && len(found.Data) <= projections.LegacyLimit {
		e.Evidence = found.Data
	}
	return e
}
