package gate

import (
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// captured makes the run's FingerprintCaptured. A match keeps neither text nor
// time: the baseline has them.
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

// adopted takes over the files of the journal-less software as they are.
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
