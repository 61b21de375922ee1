package machine

import (
	"slices"
	"time"
)

// Phase is the current state of the transition table for a history. It is kept
// nowhere else.
type Phase string

// Phases of a history.
const (
	PhaseNew      Phase = "new"      // no baseline yet
	PhaseAdopted  Phase = "adopted"  // legacy state with an epoch, not yet reconstructed here
	PhaseSalvaged Phase = "salvaged" // continues a damaged journal, not yet reconstructed
	PhaseSettled  Phase = "settled"  // a baseline, nothing open
	PhaseDetected Phase = "detected" // a reconstruction is open, its manifest not verified
	PhaseVerified Phase = "verified" // its manifest is verified, nothing newly applied
	PhaseApplying Phase = "applying" // at least one operation was applied
	PhaseFailed   Phase = "failed"   // a reconstruction is open, its newest attempt failed
)

// State is the meaning of a history up to one record. It is a value: the pointers
// and slices in it are never written through once set. A journal snapshot holds
// its JSON form.
type State struct {
	Journal string `json:"journal"`
	Node    string `json:"node"`
	Seq     uint64 `json:"seq"`
	Hash    string `json:"hash"`
	Phase   Phase  `json:"phase"`
	Epoch   uint64 `json:"epoch"`

	Baseline *Baseline       `json:"baseline,omitempty"`
	Open     *Reconstruction `json:"open,omitempty"`
	Current  *EpochRecord    `json:"current,omitempty"`  // evidence of the running epoch
	Previous *EpochRecord    `json:"previous,omitempty"` // evidence of the epoch before
	Adopted  *Adopted        `json:"adopted,omitempty"`  // until the first EpochRotated
	Drill    *Drill          `json:"drill,omitempty"`
	Salvage  *Salvage        `json:"salvage,omitempty"` // always set in a salvaged journal
	Keys     Keys            `json:"keys"`
	Serial   *int64          `json:"serial,omitempty"` // floor: serial of the last completed epoch
	Clock    ClockState      `json:"clock"`
	Run      Run             `json:"run"`
	LastFail *Failure        `json:"last_failure,omitempty"` // newest PrecheckFailed
}

// Baseline is the fingerprint that the running epoch was verified for, with
// the event that set it: an initial FingerprintCaptured, a LegacyStateAdopted
// or an EpochRotated.
type Baseline struct {
	Kind Kind   `json:"type"`
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`

	CompositeHash      string    `json:"composite_hash"`
	Inputs             Inputs    `json:"inputs"`
	OSRelease          string    `json:"os_release"`
	OSReleaseTruncated bool      `json:"os_release_truncated,omitempty"`
	UnameRelease       string    `json:"uname_release"`
	Epoch              uint64    `json:"boot_epoch"`
	CapturedAt         time.Time `json:"captured_at"`
	// ReplacedFileBLAKE3 is the fingerprint file that the EpochRotated replaced.
	ReplacedFileBLAKE3 string `json:"replaced_file_blake3,omitempty"`
}

// Reconstruction is an open reconstruction: from its first UpdateDetected, through
// retries and supersessions, to EpochRotated or UpdateAbandoned.
type Reconstruction struct {
	First    uint64  `json:"first"` // seq of the first UpdateDetected
	Seq      uint64  `json:"seq"`   // seq of the newest UpdateDetected
	Cause    Cause   `json:"cause"`
	Causes   []Cause `json:"causes"`
	Previous string  `json:"previous_hash"`
	Target   string  `json:"current_hash"`
	Attempt  int     `json:"attempt"`
	// Manifest is the newest one verified, nil before that.
	Manifest *VerifiedManifest `json:"manifest,omitempty"`
	// Applied holds the operations applied under Manifest, by index.
	Applied []OpApplied `json:"applied,omitempty"`
	// EverApplied: an operation was applied, under this or an earlier manifest.
	EverApplied bool `json:"ever_applied,omitempty"`
}

// VerifiedManifest names a manifest that was verified.
type VerifiedManifest struct {
	Seq        uint64 `json:"seq"`
	Hash       string `json:"hash"`
	Key        string `json:"key"` // BLAKE3 of the verify key
	Serial     *int64 `json:"serial,omitempty"`
	Operations int    `json:"operations"`
}

// EpochRecord holds the events from which an epoch's evidence is rendered.
type EpochRecord struct {
	Meta       Meta         `json:"meta"`
	Rotated    EpochRotated `json:"rotated"`
	Operations []OpApplied  `json:"operations"`
	// Manifest names the ManifestVerified that the epoch was completed under.
	Manifest VerifiedManifest `json:"manifest"`
}

// Drill is a DrillRequested that no EpochRotated has answered.
type Drill struct {
	Seq    uint64 `json:"seq"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// Salvage is the content of the first record of a salvaged journal.
type Salvage struct {
	Predecessor string   `json:"predecessor"`
	Ancestors   []string `json:"ancestors,omitempty"`
	Size        uint64   `json:"size"`
	LastHash    string   `json:"last_hash"`
	HeadSeq     uint64   `json:"head_seq"`
	Lost        string   `json:"lost"`
}

// Continues reports whether the journal with this id is the salvaged journal's
// predecessor or one of its ancestors.
func (s *Salvage) Continues(id string) bool {
	return s != nil && continues(s.Predecessor, s.Ancestors, id)
}

// Continues reports the same for the event.
func (e JournalSalvaged) Continues(id string) bool { return continues(e.Predecessor, e.Ancestors, id) }

func continues(predecessor string, ancestors []string, id string) bool {
	return id != "" && (predecessor == id || slices.Contains(ancestors, id))
}

// Keys holds the manifest verify keys and the checkpoint key that the history names.
type Keys struct {
	// Manifest is the BLAKE3 of the key under which the last epoch was completed;
	// "" before any.
	Manifest string `json:"manifest,omitempty"`
	// Successors are the keys to which rotations and replacements since then lead.
	Successors []string `json:"successors,omitempty"`
	Checkpoint string   `json:"checkpoint,omitempty"`
	// Replaced counts break-glass replacements, for status and auditors.
	Replaced int `json:"replaced,omitempty"`
}

// ClockState is the time floor: the newest journaled time of a run that exited 0. A
// run's times count only after another run's event shows that it ended.
type ClockState struct {
	Floor      time.Time `json:"floor"`
	Pending    time.Time `json:"pending"`     // raises the floor once PendingRun is known to have exited 0
	PendingRun string    `json:"pending_run"` // "" if the newest run has not ended well
}

// Run holds what the newest run has journaled so far.
type Run struct {
	ID       string    `json:"id"`
	BootID   string    `json:"boot_id"`
	First    uint64    `json:"first"` // seq of its first event
	Time     time.Time `json:"time"`  // of its newest event
	Captured *Captured `json:"captured,omitempty"`
	Verified bool      `json:"verified,omitempty"` // it journaled a ManifestVerified
	Opened   bool      `json:"opened,omitempty"`   // it journaled an UpdateDetected
	Repaired []string  `json:"repaired,omitempty"` // paths of its ProjectionRepaired
	Ended    bool      `json:"ended,omitempty"`    // it ended well (a match, a baseline, an abandonment)
	Failed   int       `json:"failed,omitempty"`   // exit code of its PrecheckFailed
	Closed   bool      `json:"closed,omitempty"`   // it completed a reconstruction: there is nothing more to decide
}

// Captured is the newest run's FingerprintCaptured.
type Captured struct {
	Seq           uint64    `json:"seq"`
	Role          Role      `json:"role"`
	CompositeHash string    `json:"composite_hash"`
	Inputs        Inputs    `json:"inputs"`
	OSRelease     string    `json:"os_release,omitempty"`
	Truncated     bool      `json:"os_release_truncated,omitempty"`
	CapturedAt    time.Time `json:"captured_at"`
}

// Failure is a PrecheckFailed with its place.
type Failure struct {
	Seq    uint64         `json:"seq"`
	Time   time.Time      `json:"time"`
	Failed PrecheckFailed `json:"failed"`
}

// Adopted holds the exact legacy files that a LegacyStateAdopted took over, so
// that a boot distinguishes them from edited ones.
type Adopted struct {
	Seq      uint64 `json:"seq"`
	File     []byte `json:"file"`
	Evidence []byte `json:"evidence,omitempty"`
	// RuntimeDrift: a reconstruction is due since the adoption.
	RuntimeDrift bool `json:"runtime_drift,omitempty"`
}
