// Package explain tells a node's history in causes: for each epoch why it
// began, what was verified and applied for it, how often it was interrupted,
// and what in its time deserves a second look.
//
// It works on what the records say. It does not judge whether they are whole
// (verify does), folds nothing, and goes on behind what cannot be read, so
// that a damaged or partial history is told as far as it goes.
package explain

import (
	"fmt"
	"time"

	"github.com/autonomyops/edged/replay"
)

// Report is the story of a history.
type Report struct {
	Journal string `json:"journal"`
	Node    string `json:"node"` // the newest name
	// First and Last are the records that the story is of.
	First Moment `json:"first"`
	Last  Moment `json:"last"`
	// Boots are runs of the gate, whatever became of them.
	Boots      uint64       `json:"boots"`
	Epochs     []*Epoch     `json:"epochs"`
	Unreadable []Unreadable `json:"unreadable"`
}

// Moment is a record's place and wall-clock time.
type Moment struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
}

// Unreadable is records in a row that could not be read, or are not there.
type Unreadable struct {
	Seq    uint64 `json:"seq"`
	Last   uint64 `json:"last"`
	Reason string `json:"reason"` // of the first one
	// Rest: nothing behind it was read either.
	Rest bool `json:"rest"`
}

// Records names them.
func (u Unreadable) Records() string {
	if u.Last > u.Seq {
		return fmt.Sprintf("records %d to %d", u.Seq, u.Last)
	}
	return fmt.Sprintf("record %d", u.Seq)
}

// Why says how an epoch began.
type Why string

// Ways in which an epoch begins.
const (
	WhyFirstRun       Why = "first_run"      // the live system became the baseline
	WhyAdopted        Why = "adopted"        // the state of software without a journal was taken over
	WhySalvaged       Why = "salvaged"       // this journal continues a damaged one
	WhyReconstruction Why = "reconstruction" // a reconstruction was completed
	WhyFloor          Why = "floor"          // evidence found at a first run proves it
	WhyEarlier        Why = "earlier"        // before the first record here
	WhyUnknown        Why = "unknown"        // the records do not say
)

// Epoch is one boot epoch: why it began, and what happened while it was in force.
type Epoch struct {
	Epoch uint64 `json:"epoch"`
	Why   Why    `json:"why"`
	Began Moment `json:"began"`
	// Last is the newest record with this epoch in force.
	Last   Moment  `json:"last"`
	System *System `json:"system"` // the baseline; null where there is none
	// Reconstruction is what began the epoch; null where none did.
	Reconstruction *Reconstruction `json:"reconstruction"`
	// Updates were opened while the epoch was in force and did not end it: they
	// were abandoned, or are still open.
	Updates        []*Reconstruction `json:"updates"`
	UpdatesOmitted uint64            `json:"updates_omitted"` // of the middle
	// Boots are the runs of the gate that ended, or broke off, in the epoch.
	Boots      uint64 `json:"boots"`
	CleanBoots Boots  `json:"clean_boots"`
	// Failures are those outside reconstructions.
	Failures        []*Failures `json:"failures"`
	FailuresOmitted uint64      `json:"failures_omitted"` // boots of the middle, like none of those
	Events          []*Event    `json:"events"`
	EventsOmitted   uint64      `json:"events_omitted"` // of the middle, like none of those
	Flags           []*Flag     `json:"flags"`
}

// System is an operating system as it was measured.
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
	// OSRelease are the lines in which os-release differs from the baseline's.
	OSRelease []replay.Line `json:"os_release"`
	// OSReleaseTruncated: a text of it was cut, so that OSRelease may lack lines.
	OSReleaseTruncated bool   `json:"os_release_truncated"`
	KernelFrom         string `json:"kernel_from"`
	KernelTo           string `json:"kernel_to"`
	HashFrom           string `json:"hash_from"`
	HashTo             string `json:"hash_to"`
	// Compared: there was a baseline to compare with, so that no line and no
	// kernel that differs means that none does.
	Compared bool `json:"compared"`
	// FoundFile is the BLAKE3 of a fingerprint file that was the cause, and
	// FoundEpoch what it claimed.
	FoundFile  string  `json:"found_file_blake3,omitempty"`
	FoundEpoch *uint64 `json:"found_file_epoch,omitempty"`

	Attempts        []*Attempt `json:"attempts"`
	AttemptsOmitted int        `json:"attempts_omitted"` // boots of the middle, like none of those
	// Interrupted counts the boots that worked on it and never ended.
	Interrupted int `json:"interrupted"`
	// GateMS is the time that gates spent on it, by the uptime of each boot;
	// WallMS the time from its opening to its end by the wall clock, which may lie.
	GateMS int64 `json:"gate_ms"`
	WallMS int64 `json:"wall_ms"`
	// DurationMS is what the commit itself says of the run that completed it.
	DurationMS int64 `json:"duration_ms"`
}

// Result says what became of a reconstruction, or of one boot's work on it.
type Result string

// Results. The newest boot of a history may still be running.
const (
	Completed   Result = "completed"
	Abandoned   Result = "abandoned"
	Failed      Result = "failed"
	Interrupted Result = "interrupted"
	Open        Result = "open"
)

// Attempt is what one boot did for a reconstruction, or several boots that
// failed alike.
type Attempt struct {
	Attempt int `json:"attempt"`
	// Resumed: it went on where a boot before it had been interrupted.
	Resumed    bool      `json:"resumed"`
	Supersedes uint64    `json:"supersedes,omitempty"` // the system had changed again
	Target     string    `json:"target"`
	Run        string    `json:"run"`
	BootID     string    `json:"boot_id"`
	First      Moment    `json:"first"`
	Last       Moment    `json:"last"`
	Verified   *Verified `json:"verified"`
	Applied    []Applied `json:"applied"`
	// AppliedOmitted counts operations of the middle.
	AppliedOmitted int      `json:"applied_omitted"`
	Result         Result   `json:"result"`
	Failure        *Failure `json:"failure"`
	UptimeMS       int64    `json:"uptime_ms"` // between its first and its last record
	// Boots counts those that this stands for; LastAttempt is the newest one's.
	Boots       int `json:"boots"`
	LastAttempt int `json:"last_attempt"`

	of *Reconstruction
}

// Verified is a manifest that held, and the key that it held under.
type Verified struct {
	Seq          uint64 `json:"seq"`
	ManifestHash string `json:"manifest_hash"`
	Serial       *int64 `json:"serial"`
	KeyBLAKE3    string `json:"key_blake3"`
	Operations   int    `json:"operations"`
}

// Applied is one operation whose destination was made what it should be.
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

// Failure is why a boot did not end in 0.
type Failure struct {
	Seq      uint64 `json:"seq"`
	ExitCode int    `json:"exit_code"`
	Stage    string `json:"stage"`
	Path     string `json:"path"`
	Reason   string `json:"reason"`
}

// Failures are boots that failed alike: in a row, unless there are too many to
// list.
type Failures struct {
	Failure
	Count uint64 `json:"count"`
	First Moment `json:"first"`
	Last  Moment `json:"last"`
}

// Event is something else that happened, or the same several times: in a row,
// unless there are too many to list.
type Event struct {
	Type   string `json:"type"` // a record's, or "software" where another gate wrote
	Detail string `json:"detail"`
	Count  uint64 `json:"count"`
	First  Moment `json:"first"`
	Last   Moment `json:"last"`
}

// Flag marks what deserves a second look. Within an epoch each code stands once.
type Flag struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Count    uint64   `json:"count"`
	First    Moment   `json:"first"`
	Last     Moment   `json:"last"`
	Detail   string   `json:"detail"` // of the first one
}
