// Package explain reports a node's history by causes: for each epoch why it
// began, which manifest and operations it is based on, how often its
// reconstruction was interrupted, and which events deserve a second look.
//
// It does not verify the records (package verify does) and does not fold them. It
// continues after records that cannot be read, so that it also explains a damaged
// or partial history.
package explain

import (
	"fmt"
	"time"

	"github.com/autonomyops/edged/replay"
)

// Report explains a history.
type Report struct {
	Journal string `json:"journal"`
	Node    string `json:"node"` // the newest name
	// First and Last are the first and last record that could be read.
	First Moment `json:"first"`
	Last  Moment `json:"last"`
	// Boots is the number of runs of the gate, however they ended.
	Boots      uint64       `json:"boots"`
	Epochs     []*Epoch     `json:"epochs"`
	Unreadable []Unreadable `json:"unreadable"`
}

// Moment is a record's place and wall-clock time.
type Moment struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
}

// Unreadable are consecutive records that are missing or could not be read.
type Unreadable struct {
	Seq    uint64 `json:"seq"`
	Last   uint64 `json:"last"`
	Reason string `json:"reason"` // of the first one
	// Final: no record after them was read.
	Final bool `json:"rest"`
}

// Records returns "record 4" or "records 4 to 5".
func (u Unreadable) Records() string {
	if u.Last > u.Seq {
		return fmt.Sprintf("records %d to %d", u.Seq, u.Last)
	}
	return fmt.Sprintf("record %d", u.Seq)
}

// Why is the reason why an epoch began.
type Why string

// The reasons why an epoch begins.
const (
	WhyFirstRun       Why = "first_run"      // the live system became the baseline
	WhyAdopted        Why = "adopted"        // the state of software without a journal was adopted
	WhySalvaged       Why = "salvaged"       // this journal continues a damaged one
	WhyReconstruction Why = "reconstruction" // a reconstruction was completed
	WhyFloor          Why = "floor"          // evidence.json at a first run named an epoch
	WhyEarlier        Why = "earlier"        // it began before the first record here
	WhyUnknown        Why = "unknown"        // no record that was read has the reason
)

// Epoch is one boot epoch: why it began, and what happened while it was in force.
type Epoch struct {
	Epoch uint64 `json:"epoch"`
	Why   Why    `json:"why"`
	Began Moment `json:"began"`
	// Last is the newest record with this epoch in force.
	Last   Moment  `json:"last"`
	System *System `json:"system"` // the baseline; null if there is none
	// Reconstruction began the epoch; null if none did.
	Reconstruction *Reconstruction `json:"reconstruction"`
	// Updates were opened in the epoch and did not end it: they were abandoned,
	// or are still open.
	Updates        []*Reconstruction `json:"updates"`
	UpdatesOmitted uint64            `json:"updates_omitted"`
	// Boots is the number of runs of the gate that ended, or were interrupted, in
	// the epoch.
	Boots      uint64 `json:"boots"`
	CleanBoots Boots  `json:"clean_boots"`
	// Failures are those outside reconstructions.
	Failures        []*Failures `json:"failures"`
	FailuresOmitted uint64      `json:"failures_omitted"` // boots that are in none of Failures
	Events          []*Event    `json:"events"`
	EventsOmitted   uint64      `json:"events_omitted"` // events that are in none of Events
	Flags           []*Flag     `json:"flags"`
}

// System is a measured operating system.
type System struct {
	CompositeHash string `json:"composite_hash"`
	OSRelease     string `json:"os_release"`
	Kernel        string `json:"uname_release"`
}

// Boots counts boots.
type Boots struct {
	Count uint64  `json:"count"`
	First *Moment `json:"first"`
	Last  *Moment `json:"last"`
}

// Reconstruction is one update from its first UpdateDetected to its end.
type Reconstruction struct {
	Cause  string   `json:"cause"`
	Causes []string `json:"causes"`
	Result Result   `json:"result"`
	Opened Moment   `json:"opened"`
	Closed *Moment  `json:"closed"` // null while it is open
	Reason string   `json:"reason,omitempty"`

	Changed []string `json:"changed"` // inputs of the fingerprint
	// OSRelease are the lines in which os-release differs from the baseline.
	OSRelease []replay.Line `json:"os_release"`
	// OSReleaseTruncated: a recorded text is truncated, and OSRelease may lack
	// lines.
	OSReleaseTruncated bool   `json:"os_release_truncated"`
	KernelFrom         string `json:"kernel_from"`
	KernelTo           string `json:"kernel_to"`
	HashFrom           string `json:"hash_from"`
	HashTo             string `json:"hash_to"`
	// Compared: there was a baseline to compare with. Otherwise an empty
	// OSRelease does not mean that nothing differs.
	Compared bool `json:"compared"`
	// FoundFile is the BLAKE3 of the fingerprint file that was the cause, and
	// FoundEpoch the epoch in it.
	FoundFile  string  `json:"found_file_blake3,omitempty"`
	FoundEpoch *uint64 `json:"found_file_epoch,omitempty"`

	Attempts        []*Attempt `json:"attempts"`
	AttemptsOmitted int        `json:"attempts_omitted"` // boots that are in none of Attempts
	// Interrupted is the number of boots that worked on it and did not end.
	Interrupted int `json:"interrupted"`
	// GateMS is the time that gates spent on it, by the uptime of each boot.
	// WallMS is the time from its opening to its end by the wall clock, which may
	// be wrong.
	GateMS int64 `json:"gate_ms"`
	WallMS int64 `json:"wall_ms"`
	// DurationMS is the duration in the record of the commit.
	DurationMS int64 `json:"duration_ms"`
}

// Result is the result of a reconstruction or of an attempt.
type Result string

// Results. An interrupted boot may still be running, if it is the newest one.
const (
	Completed   Result = "completed"
	Abandoned   Result = "abandoned"
	Failed      Result = "failed"
	Interrupted Result = "interrupted"
	Open        Result = "open"
)

// Attempt is the work of one boot on a reconstruction, or of several boots that
// failed alike.
type Attempt struct {
	Attempt int `json:"attempt"`
	// Resumed: it continued an interrupted attempt.
	Resumed        bool      `json:"resumed"`
	Supersedes     uint64    `json:"supersedes,omitempty"` // record of the UpdateDetected whose target it replaced
	Target         string    `json:"target"`
	Run            string    `json:"run"`
	BootID         string    `json:"boot_id"`
	First          Moment    `json:"first"`
	Last           Moment    `json:"last"`
	Verified       *Verified `json:"verified"`
	Applied        []Applied `json:"applied"`
	AppliedOmitted int       `json:"applied_omitted"`
	Result         Result    `json:"result"`
	Failure        *Failure  `json:"failure"`
	UptimeMS       int64     `json:"uptime_ms"` // between its first and its last record
	// Boots is the number of boots, and LastAttempt the number of the last attempt.
	Boots       int `json:"boots"`
	LastAttempt int `json:"last_attempt"`

	of *Reconstruction
}

// Verified is a manifest that was verified, and its key.
type Verified struct {
	Seq          uint64 `json:"seq"`
	ManifestHash string `json:"manifest_hash"`
	Serial       *int64 `json:"serial"`
	KeyBLAKE3    string `json:"key_blake3"`
	Operations   int    `json:"operations"`
}

// Applied is one applied operation.
type Applied struct {
	Seq            uint64 `json:"seq"`
	Index          int    `json:"index"`
	Op             string `json:"op"`
	Dst            string `json:"dst"`
	Bytes          int64  `json:"bytes"`
	BLAKE3         string `json:"blake3"`
	Mode           string `json:"mode"`
	HashPinned     bool   `json:"hash_pinned"`
	AlreadyInPlace bool   `json:"already_in_place"`
}

// Failure is the reason why a boot ended with another exit code than 0.
type Failure struct {
	Seq      uint64 `json:"seq"`
	ExitCode int    `json:"exit_code"`
	Stage    string `json:"stage"`
	Path     string `json:"path"`
	Reason   string `json:"reason"`
}

// Failures are boots that failed alike. They are in a row, unless some failures
// are not listed.
type Failures struct {
	Failure
	Count uint64 `json:"count"`
	First Moment `json:"first"`
	Last  Moment `json:"last"`
}

// Event is another event, or several that are alike. They are in a row, unless
// some events are not listed.
type Event struct {
	Type   string `json:"type"` // a record's type, or "software" if the gate's version changed
	Detail string `json:"detail"`
	Count  uint64 `json:"count"`
	First  Moment `json:"first"`
	Last   Moment `json:"last"`
}

// Flag marks an event that deserves a second look. An epoch has at most one flag
// of each code.
type Flag struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Count    uint64   `json:"count"`
	First    Moment   `json:"first"`
	Last     Moment   `json:"last"`
	Detail   string   `json:"detail"` // of the first one
}
