package machine

import "time"

// Role is how a FingerprintCaptured compares with the baseline.
type Role string

// Roles of a capture.
const (
	RoleInitial Role = "initial" // there was no baseline: this capture becomes it
	RoleMatch   Role = "match"   // live equals the baseline
	RoleDiffers Role = "differs" // live differs from the baseline, or must not become it
)

// Cause is why a reconstruction was opened.
type Cause string

// Causes, in the order in which the rows of the situations table combine.
const (
	CauseSalvaged  Cause = "salvaged"
	CauseLegacy    Cause = "legacy"
	CauseTampered  Cause = "fingerprint_tampered"
	CauseForeign   Cause = "foreign_writer"
	CauseOSChanged Cause = "os_changed"
	CauseDrift     Cause = "runtime_drift"
	CauseDrill     Cause = "drill"
)

// Inputs are the inputs of the live fingerprint: the BLAKE3 of each os-release file
// ("" if the file is absent) and the kernel release of uname.
type Inputs struct {
	EtcOSRelease    string `json:"etc_os_release"`
	UsrLibOSRelease string `json:"usr_lib_os_release"`
	UnameRelease    string `json:"uname_release"`
}

// Clock records the wall clock, the time floor, and the time at which validity was
// judged.
type Clock struct {
	Wall  time.Time `json:"wall"`
	Floor time.Time `json:"floor"`
	Used  time.Time `json:"used"`
}

// FingerprintCaptured: the live operating system was measured. OSRelease and
// CapturedAt are absent if Role is match.
type FingerprintCaptured struct {
	V                  int        `json:"v"`
	Role               Role       `json:"role"`
	CompositeHash      string     `json:"composite_hash"`
	Inputs             Inputs     `json:"inputs"`
	OSRelease          *string    `json:"os_release,omitempty"`
	OSReleaseTruncated bool       `json:"os_release_truncated,omitempty"`
	CapturedAt         *time.Time `json:"captured_at,omitempty"`
	MountCheck         string     `json:"mount_check"` // enforced | skipped
	Filesystem         string     `json:"filesystem"`
	Clock              Clock      `json:"clock"`
	Software           string     `json:"software"`
}

// UpdateDetected opens a reconstruction, or continues an open one (Attempt >
// 1). Supersedes is the seq of the open UpdateDetected that this one replaces
// because the target changed; 0 otherwise.
type UpdateDetected struct {
	V               int      `json:"v"`
	Cause           Cause    `json:"cause"`
	Causes          []Cause  `json:"causes"`
	PreviousHash    string   `json:"previous_hash"`
	CurrentHash     string   `json:"current_hash"`
	Changed         []string `json:"changed"` // of etc_os_release, usr_lib_os_release, uname_release
	Attempt         int      `json:"attempt"`
	Supersedes      uint64   `json:"supersedes,omitempty"`
	FoundFileBLAKE3 string   `json:"found_file_blake3,omitempty"`
	// FoundFileEpoch is the epoch in a tampered fingerprint file; it is never trusted.
	FoundFileEpoch *uint64 `json:"found_file_epoch,omitempty"`
	// EpochFloor is the epoch that legacy evidence proves, if a first run found an
	// unreadable fingerprint file. The epoch never falls below it.
	EpochFloor uint64 `json:"epoch_floor,omitempty"`
}

// ManifestVerified: manifest, signature and key as read (exact bytes; base64
// in JSON), after the signature, the key's continuity, the serial and every
// operation were checked.
type ManifestVerified struct {
	V            int    `json:"v"`
	Manifest     []byte `json:"manifest"`
	Signature    []byte `json:"signature"`
	Key          []byte `json:"key"`
	ManifestHash string `json:"manifest_hash"`
	KeyBLAKE3    string `json:"key_blake3"`
	Serial       *int64 `json:"serial"`
	Operations   int    `json:"operations"`
}

// OpApplied: the operation's destination holds the bytes with this hash,
// durably. Bytes is the size of the destination in bytes. Src and Dst are
// relative to the state root.
type OpApplied struct {
	V              int    `json:"v"`
	Index          int    `json:"index"`
	Op             string `json:"op"`
	Src            string `json:"src"`
	Dst            string `json:"dst"`
	Bytes          int64  `json:"bytes"`
	BLAKE3         string `json:"blake3"`
	Mode           string `json:"mode"` // octal, four digits
	HashPinned     bool   `json:"hash_pinned"`
	AlreadyInPlace bool   `json:"already_in_place"`
}

// OSFingerprint is the fingerprint as evidence and projections show it.
type OSFingerprint struct {
	CompositeHash string    `json:"composite_hash"`
	OSRelease     string    `json:"os_release"`
	UnameRelease  string    `json:"uname_release"`
	BootEpoch     uint64    `json:"boot_epoch"`
	CapturedAt    time.Time `json:"captured_at"`
}

// EpochRotated commits a reconstruction. Its append is the commit point.
type EpochRotated struct {
	V                  int           `json:"v"`
	BootEpoch          uint64        `json:"boot_epoch"`
	OSFingerprint      OSFingerprint `json:"os_fingerprint"`
	OSReleaseTruncated bool          `json:"os_release_truncated,omitempty"`
	Inputs             Inputs        `json:"inputs"`
	BinaryHash         string        `json:"binary_hash"`
	ConfigHash         string        `json:"config_hash"`
	ManifestHash       string        `json:"manifest_hash"`
	ManifestSerial     *int64        `json:"manifest_serial"`
	RotatedAt          time.Time     `json:"rotated_at"`
	DurationMS         int64         `json:"duration_ms"`
	// ReplacedFileBLAKE3 is the fingerprint file as found at commit, "" if there
	// was none. After a crash before publication it is not answered again.
	ReplacedFileBLAKE3 string `json:"replaced_file_blake3"`
}

// PrecheckFailed ends a run that did not exit 0. Attempt is that of the open
// reconstruction, 0 if none is open. Next is what to do about it, "" if nothing
// is known.
type PrecheckFailed struct {
	V        int    `json:"v"`
	ExitCode int    `json:"exit_code"`
	Stage    string `json:"stage"`
	Path     string `json:"path"`
	Reason   string `json:"reason"`
	Next     string `json:"next,omitempty"`
	Attempt  int    `json:"attempt"`
}

// UpdateAbandoned: the OS went back to the baseline before anything was applied.
type UpdateAbandoned struct {
	V         int    `json:"v"`
	UpdateSeq uint64 `json:"update_seq"`
	Reason    string `json:"reason"`
}

// LegacyStateAdopted takes over the state of the journal-less software. File
// and Evidence are the exact bytes found (at most 20 KiB each; base64 in JSON).
// RuntimeDrift: a destination of the verified manifest differs from the file that
// its operation would install, and a reconstruction is due. It is recorded here
// because the adoption sets a baseline: a boot after a loss of power does not
// judge the runtime again before the first epoch.
type LegacyStateAdopted struct {
	V             int    `json:"v"`
	BootEpoch     uint64 `json:"boot_epoch"`
	CompositeHash string `json:"composite_hash"`
	File          []byte `json:"file"`
	Evidence      []byte `json:"evidence,omitempty"`
	RuntimeDrift  bool   `json:"runtime_drift,omitempty"`
}

// SnapshotTaken vouches for the snapshot of the state after record Of: BLAKE3
// is that of its bytes. It is the journal's own bookkeeping: see [Fold.Apply].
type SnapshotTaken struct {
	V      int    `json:"v"`
	Of     uint64 `json:"of"`
	BLAKE3 string `json:"blake3"`
}

// ProjectionRepaired: a projection differed from the journal. It is written again
// at the end of the boot, or of the next boot if this one fails.
type ProjectionRepaired struct {
	V           int    `json:"v"`
	Path        string `json:"path"`
	Reason      string `json:"reason"` // missing, stale, edited, reformatted, answered
	FoundBLAKE3 string `json:"found_blake3,omitempty"`
}

// HeadRebuilt: the head file was damaged or absent and was written again for Seq.
type HeadRebuilt struct {
	V     int    `json:"v"`
	Found string `json:"found"` // what was wrong with the one found
	Seq   uint64 `json:"seq"`
}

// CertificateRotated: the leaf was re-issued. Serials are decimal. The old one is
// "" if its file was lost in a crash.
type CertificateRotated struct {
	V         int       `json:"v"`
	OldSerial string    `json:"old_serial"`
	NewSerial string    `json:"new_serial"`
	NotAfter  time.Time `json:"not_after"`
}

// DrillRequested asks the next boot to exercise a whole reconstruction.
type DrillRequested struct {
	V      int    `json:"v"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// DrillCancelled withdraws a DrillRequested that no reconstruction has answered yet.
type DrillCancelled struct {
	V      int    `json:"v"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// Purposes of a key.
const (
	PurposeManifest   = "manifest"
	PurposeCheckpoint = "checkpoint"
)

// KeyRotated: a statement signed by the old key names the new one.
type KeyRotated struct {
	V         int    `json:"v"`
	Purpose   string `json:"purpose"`
	OldKey    string `json:"old_key"` // BLAKE3 of the raw public key
	NewKey    string `json:"new_key"`
	Statement []byte `json:"statement"`
	Signature []byte `json:"signature"`
}

// KeyReplaced: break-glass replacement of a key without the old one.
type KeyReplaced struct {
	V       int    `json:"v"`
	Purpose string `json:"purpose"`
	OldKey  string `json:"old_key"`
	NewKey  string `json:"new_key"`
	By      string `json:"by"`
	Reason  string `json:"reason"`
}

// ClockReset sets the time floor to New.
type ClockReset struct {
	V      int       `json:"v"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Old    time.Time `json:"old"`
	New    time.Time `json:"new"`
}

// NodeRenamed changes the name of the journal's node.
type NodeRenamed struct {
	V      int    `json:"v"`
	By     string `json:"by"`
	Reason string `json:"reason"`
	Old    string `json:"old"`
	New    string `json:"new"`
}

// JournalSalvaged is the first record of a journal that continues a damaged one.
// Its floors are those of the kept records, or higher ones that an undamaged file
// of the same history proves.
type JournalSalvaged struct {
	V           int    `json:"v"`
	Predecessor string `json:"predecessor"` // journal id, "" if unknown
	// Ancestors are the ids of the journals that the predecessor continued,
	// newest first; absent if it was the node's first.
	Ancestors   []string  `json:"ancestors,omitempty"`
	Size        uint64    `json:"size"`      // records kept as predecessor.jsonl
	LastHash    string    `json:"last_hash"` // hash of the last record kept
	Lost        string    `json:"lost"`      // what was lost, in words
	HeadSeq     uint64    `json:"head_seq"`  // acknowledged by the head file, 0 if unknown
	Epoch       uint64    `json:"epoch"`
	Serial      *int64    `json:"serial"`
	TimeFloor   time.Time `json:"time_floor"`
	ManifestKey string    `json:"manifest_key"` // BLAKE3, "" if unknown
	// CheckpointKey is the BLAKE3 of the newest checkpoint key that a change led
	// to, "" if none is known.
	CheckpointKey string `json:"checkpoint_key,omitempty"`
	By            string `json:"by"`
	Reason        string `json:"reason"`
}

// Unknown is the payload of an event of a kind (or data version) that this binary
// does not know and that is not critical. It changes nothing but the tip.
type Unknown struct {
	Name Kind
}

// Kind returns the payload's kind.
func (FingerprintCaptured) Kind() Kind { return KindFingerprintCaptured }
func (UpdateDetected) Kind() Kind      { return KindUpdateDetected }
func (ManifestVerified) Kind() Kind    { return KindManifestVerified }
func (OpApplied) Kind() Kind           { return KindOpApplied }
func (EpochRotated) Kind() Kind        { return KindEpochRotated }
func (PrecheckFailed) Kind() Kind      { return KindPrecheckFailed }
func (UpdateAbandoned) Kind() Kind     { return KindUpdateAbandoned }
func (LegacyStateAdopted) Kind() Kind  { return KindLegacyStateAdopted }
func (SnapshotTaken) Kind() Kind       { return KindSnapshotTaken }
func (ProjectionRepaired) Kind() Kind  { return KindProjectionRepaired }
func (HeadRebuilt) Kind() Kind         { return KindHeadRebuilt }
func (CertificateRotated) Kind() Kind  { return KindCertificateRotated }
func (DrillRequested) Kind() Kind      { return KindDrillRequested }
func (DrillCancelled) Kind() Kind      { return KindDrillCancelled }
func (KeyRotated) Kind() Kind          { return KindKeyRotated }
func (KeyReplaced) Kind() Kind         { return KindKeyReplaced }
func (ClockReset) Kind() Kind          { return KindClockReset }
func (NodeRenamed) Kind() Kind         { return KindNodeRenamed }
func (JournalSalvaged) Kind() Kind     { return KindJournalSalvaged }
func (u Unknown) Kind() Kind           { return u.Name }

func (FingerprintCaptured) sealed() {}
func (UpdateDetected) sealed()      {}
func (ManifestVerified) sealed()    {}
func (OpApplied) sealed()           {}
func (EpochRotated) sealed()        {}
func (PrecheckFailed) sealed()      {}
func (UpdateAbandoned) sealed()     {}
func (LegacyStateAdopted) sealed()  {}
func (SnapshotTaken) sealed()       {}
func (ProjectionRepaired) sealed()  {}
func (HeadRebuilt) sealed()         {}
func (CertificateRotated) sealed()  {}
func (DrillRequested) sealed()      {}
func (DrillCancelled) sealed()      {}
func (KeyRotated) sealed()          {}
func (KeyReplaced) sealed()         {}
func (ClockReset) sealed()          {}
func (NodeRenamed) sealed()         {}
func (JournalSalvaged) sealed()     {}
func (Unknown) sealed()             {}
