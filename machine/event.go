// Package machine holds the events of a node's gate, its states, the one
// transition table, and two pure functions. Apply returns the state after an
// event. Decide returns the next step for a state and a run's observations. The
// package does no I/O, reads no clock and draws no randomness, so that a boot, a
// replay and an audit of the same records reach the same state.
//
// # Evolution rules
//
// The meaning of a released event never changes. A payload grows by optional
// members, or by a new data version v with an upcaster in [Decode], which runs
// after verification and never touches hashed bytes. A kind is critical (crit) if
// a reader that decides must understand it: an older
// binary refuses an unknown critical kind with [ErrNewer] and skips an unknown
// one that is not. A new critical kind is written only from the release after
// the one that first understands it. Kinds are never renamed or reused.
package machine

import "time"

// Kind names an event. The zero Kind is invalid.
type Kind string

// The sealed set of kinds.
const (
	KindFingerprintCaptured Kind = "FingerprintCaptured"
	KindUpdateDetected      Kind = "UpdateDetected"
	KindManifestVerified    Kind = "ManifestVerified"
	KindOpApplied           Kind = "OpApplied"
	KindEpochRotated        Kind = "EpochRotated"
	KindPrecheckFailed      Kind = "PrecheckFailed"
	KindUpdateAbandoned     Kind = "UpdateAbandoned"
	KindLegacyStateAdopted  Kind = "LegacyStateAdopted"
	KindSnapshotTaken       Kind = "SnapshotTaken"
	KindProjectionRepaired  Kind = "ProjectionRepaired"
	KindHeadRebuilt         Kind = "HeadRebuilt"
	KindCertificateRotated  Kind = "CertificateRotated"
	KindDrillRequested      Kind = "DrillRequested"
	KindDrillCancelled      Kind = "DrillCancelled"
	KindKeyRotated          Kind = "KeyRotated"
	KindKeyReplaced         Kind = "KeyReplaced"
	KindClockReset          Kind = "ClockReset"
	KindNodeRenamed         Kind = "NodeRenamed"
	KindJournalSalvaged     Kind = "JournalSalvaged"
)

// OfBoot reports whether only a boot appends such an event; false for an unknown kind.
func (k Kind) OfBoot() bool {
	switch k {
	case KindFingerprintCaptured, KindLegacyStateAdopted, KindUpdateDetected, KindManifestVerified, KindOpApplied,
		KindEpochRotated, KindUpdateAbandoned, KindPrecheckFailed, KindCertificateRotated:
		return true
	}
	return false
}

// Event is one record as the machine sees it: the envelope's members that
// decide or describe, and the typed payload.
type Event struct {
	Meta
	Payload Payload
}

// Meta holds the members of a record's envelope that the machine and the
// projections use. Hashes are lower-case hex of BLAKE3-256.
type Meta struct {
	Journal  string    `json:"journal"`
	Seq      uint64    `json:"seq"`
	Hash     string    `json:"hash"`
	Prev     string    `json:"prev"`
	ID       string    `json:"id"`
	Kind     Kind      `json:"type"`
	Crit     bool      `json:"crit"`
	Time     time.Time `json:"time"`
	BootID   string    `json:"boot_id"`
	UptimeMS int64     `json:"uptime_ms"`
	Run      string    `json:"run"`
	Node     string    `json:"node"`
	Epoch    uint64    `json:"epoch"`
}

// Payload is an event's data. The set of payloads is sealed.
type Payload interface {
	Kind() Kind
	sealed()
}
