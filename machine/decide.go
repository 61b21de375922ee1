package machine

import "slices"

// Observations are what a run found outside the journal, as plain values. The gate
// collects them; Decide does no I/O.
type Observations struct {
	Run  string   // this run's id
	Live Captured // the live fingerprint; Seq and Role unset

	// Legacy: there is a well-formed fingerprint file without a journal member,
	// and no projection refers to a journal.
	Legacy bool
	// Unreadable: there is no baseline, and the fingerprint file cannot be read.
	Unreadable bool
	// EvidenceFloor is the epoch that journal-less evidence proves.
	EvidenceFloor uint64

	// File is a fingerprint file that is cause for a reconstruction, judged
	// against the baseline. Its Cause is "" if there is none.
	File FoundFile
	// Repairs are the projections that must be written again, including the
	// fingerprint file.
	Repairs []ProjectionRepaired
	// FingerprintPath names the fingerprint file in Repairs.
	FingerprintPath string

	// ManifestDue: there is a manifest, or a key is pinned. A manifest must then
	// verify before a node gets its first baseline.
	ManifestDue bool
	// Drift: a file that the last epoch installed is missing or changed. Before
	// the first baseline it is known once the manifest is verified: a destination
	// exists and differs from the file that its operation would install.
	Drift bool

	// Manifest is the manifest that this run has verified, nil before.
	Manifest *Plan
}

// FoundFile is a fingerprint file that is cause for a reconstruction.
type FoundFile struct {
	Cause  Cause // fingerprint_tampered, foreign_writer or ""
	BLAKE3 string
	Hash   string  // its composite_hash, "" if it cannot be read
	Epoch  *uint64 // its boot_epoch, recorded and never trusted
}

// Plan is a verified manifest's operations and how many of them are in place.
type Plan struct {
	Operations int
	// InPlace holds, by index, the operations that were applied under this
	// manifest and whose destination is still as applied.
	InPlace map[int]bool
}

// Step is what the gate should do next. The gate performs it, appends the event
// that it leads to, and calls Decide again.
type Step interface{ step() }

// The steps of a boot.
type (
	// Adopt appends LegacyStateAdopted.
	Adopt struct{}
	// Capture appends FingerprintCaptured with Role.
	Capture struct{ Role Role }
	// Record appends the event as it is: ProjectionRepaired, UpdateDetected
	// or UpdateAbandoned. Its effect, if any, is a publication at the end.
	Record struct{ Payload Payload }
	// VerifyManifest reads and verifies the manifest and appends
	// ManifestVerified. First: it is a first run's, and nothing is applied.
	VerifyManifest struct{ First bool }
	// ApplyOperation applies one operation and appends OpApplied.
	ApplyOperation struct{ Index int }
	// Rotate appends EpochRotated: the commit point.
	Rotate struct{}
	// Done ends the run: the projections may be published.
	Done struct{}
)

func (Adopt) step()          {}
func (Capture) step()        {}
func (Record) step()         {}
func (VerifyManifest) step() {}
func (ApplyOperation) step() {}
func (Rotate) step()         {}
func (Done) step()           {}

// Decide returns the next step. It is pure. After a crash the same function
// continues over a longer history.
func Decide(s State, o Observations) Step {
	run := Run{}
	if s.Run.ID == o.Run {
		run = s.Run
	}
	if run.Closed {
		return Done{} // the observations are older than the epoch just completed
	}
	if s.Phase == PhaseNew && !o.Unreadable && o.ManifestDue && !run.Verified {
		// This fails closed: a node whose journal was wiped must not pass for a
		// first run, or for a node of the journal-less software, with a
		// manifest that does not verify.
		return VerifyManifest{First: true}
	}
	if s.Phase == PhaseNew && o.Legacy {
		return Adopt{}
	}
	if run.Captured == nil {
		return Capture{roleOf(s, o)}
	}
	for _, r := range o.Repairs {
		// While a reconstruction is open the fingerprint file is not judged:
		// its completion replaces the file.
		if s.Open != nil && r.Path == o.FingerprintPath {
			continue
		}
		if !slices.Contains(run.Repaired, r.Path) {
			return Record{r}
		}
	}
	if s.Open == nil {
		causes := causesOf(s, o)
		if len(causes) == 0 {
			return Done{}
		}
		return Record{open(s, o, causes)}
	}
	return reconstruct(s, o, run)
}

// roleOf returns the role under which the live fingerprint is journaled. A system
// whose runtime drifted sets no baseline: a boot that loses power after the
// capture must find the drift again.
func roleOf(s State, o Observations) Role {
	switch {
	case s.Baseline != nil && s.Baseline.CompositeHash == o.Live.CompositeHash:
		return RoleMatch
	case s.Baseline != nil || s.Phase != PhaseNew || o.Unreadable || o.Drift:
		return RoleDiffers
	}
	return RoleInitial
}

// causesOf returns the causes for which a reconstruction is due, in the order of
// the rows: files against baseline, live against baseline, runtime, drill.
func causesOf(s State, o Observations) []Cause {
	var causes []Cause
	if s.Phase == PhaseSalvaged {
		causes = append(causes, CauseSalvaged)
	}
	if s.Phase == PhaseAdopted {
		causes = append(causes, CauseLegacy)
	}
	if o.File.Cause != "" && s.Phase != PhaseSalvaged {
		causes = append(causes, o.File.Cause)
	}
	if s.Baseline != nil && s.Baseline.CompositeHash != o.Live.CompositeHash {
		causes = append(causes, CauseOSChanged)
	}
	if o.Drift || s.Adopted != nil && s.Adopted.RuntimeDrift {
		causes = append(causes, CauseDrift)
	}
	if s.Drill != nil {
		causes = append(causes, CauseDrill)
	}
	return causes
}

// open returns the UpdateDetected that opens a reconstruction.
func open(s State, o Observations, causes []Cause) UpdateDetected {
	u := UpdateDetected{
		V: dataVersion, Cause: causes[0], Causes: causes,
		CurrentHash: o.Live.CompositeHash, Changed: changed(s, o), Attempt: 1,
	}
	if s.Baseline != nil {
		u.PreviousHash = s.Baseline.CompositeHash
	}
	if slices.Contains(causes, o.File.Cause) {
		u.PreviousHash, u.FoundFileBLAKE3, u.FoundFileEpoch = o.File.Hash, o.File.BLAKE3, o.File.Epoch
	}
	if s.Phase == PhaseNew {
		u.EpochFloor = o.EvidenceFloor
	}
	return u
}

// changed returns the names of the inputs that differ from the baseline, none if
// there is no baseline.
func changed(s State, o Observations) []string {
	if s.Baseline == nil || s.Baseline.CompositeHash == o.Live.CompositeHash {
		return []string{}
	}
	return s.Baseline.Changed(o.Live)
}

// reconstruct returns the next step of the open reconstruction: its abandonment,
// its next attempt, or its next operation.
func reconstruct(s State, o Observations, run Run) Step {
	back := s.Baseline != nil && s.Baseline.CompositeHash == o.Live.CompositeHash
	if back && !s.Open.EverApplied && slices.Equal(s.Open.Causes, []Cause{CauseOSChanged}) {
		return Record{UpdateAbandoned{
			V: dataVersion, UpdateSeq: s.Open.Seq,
			Reason: "the operating system is the baseline again and no operation was applied",
		}}
	}
	moved := s.Open.Target != o.Live.CompositeHash
	if !run.Opened && (moved || s.Phase == PhaseFailed) {
		return Record{continued(s, o, moved)}
	}
	if !run.Verified || o.Manifest == nil {
		return VerifyManifest{}
	}
	for i := range o.Manifest.Operations {
		if !o.Manifest.InPlace[i] {
			return ApplyOperation{Index: i}
		}
	}
	return Rotate{}
}

// continued returns the UpdateDetected of a retry, or of a supersession if the
// target moved. It inherits every cause of the update that it continues.
func continued(s State, o Observations, moved bool) UpdateDetected {
	causes := slices.Clone(s.Open.Causes)
	for _, c := range causesOf(s, o) {
		// The file is not judged while a reconstruction is open.
		if c != o.File.Cause && !slices.Contains(causes, c) {
			causes = append(causes, c)
		}
	}
	u := UpdateDetected{
		V: dataVersion, Cause: s.Open.Cause, Causes: causes,
		PreviousHash: s.Open.Previous, CurrentHash: o.Live.CompositeHash,
		Changed: changed(s, o), Attempt: s.Open.Attempt + 1,
	}
	if moved {
		u.Supersedes = s.Open.Seq
	}
	return u
}
