package hub

import (
	"time"

	"github.com/autonomyops/edged/replay/explain"
)

// State is what the hub knows about a node, in a word.
type State string

// The states of a node, the worst first. Every state but Alive and Behind is an alert.
const (
	Rewritten  State = "rewritten"   // it showed records that differ from those that the hub holds
	Cloned     State = "cloned"      // two histories under its name diverge, and both go on
	RolledBack State = "rolled_back" // it showed fewer records than the hub holds: an older copy was put back
	Wiped      State = "wiped"       // it began a new journal that names none before it
	Unsound    State = "unsound"     // no gate can have written its records, what a new journal says of the one before it is not true, or the hub cannot read them
	Continued  State = "continued"   // it continues a journal that edgectl journal continue ended
	Salvaged   State = "salvaged"    // it continues a damaged journal
	Failing    State = "failing"     // the gate of its newest boot did not exit 0
	Stuck      State = "stuck"       // a reconstruction is open
	NeverSeen  State = "never_seen"  // the inventory names it, and it has never shipped
	Silent     State = "silent"      // it has not shipped for long
	Flagged    State = "flagged"     // replay explain warns about its epoch in force
	Behind     State = "behind"      // it has not shipped since yesterday, or the hub lacks records of it
	Alive      State = "alive"       // nothing of these
)

// Fleet is what the hub knows about all nodes.
type Fleet struct {
	Hub  string    `json:"hub"` // the name in the hub's key
	Time time.Time `json:"time"`
	// Complete is false while the hub still reads its store after a start.
	Complete bool `json:"complete"`
	// Stopped is the reason why the hub signs nothing, "" if it signs.
	Stopped string        `json:"stopped"`
	Counts  map[State]int `json:"counts"` // nodes by State; every state is there
	Records uint64        `json:"records"`
	Nodes   []Node        `json:"nodes"` // by name
}

// Node is a node, with the newest of its journals.
type Node struct {
	Name   string  `json:"name"`
	State  State   `json:"state"`  // the worst of States
	States []State `json:"states"` // all that apply, the worst first
	// Reasons are the States in words, in the same order.
	Reasons []string `json:"reasons"`
	// Journal is the newest journal's id, "" if the node was never seen. The members
	// from Records to Flags are its.
	Journal string     `json:"journal"`
	Records uint64     `json:"records"`
	First   *time.Time `json:"first"` // when the node was first seen
	Seen    *time.Time `json:"seen"`  // when it was last seen
	Epoch   uint64     `json:"epoch"`
	System  string     `json:"system"` // PRETTY_NAME of os-release
	Kernel  string     `json:"kernel"`
	Boot    *Boot      `json:"boot"` // the newest one; null if there is none
	Flags   []Flag     `json:"flags"`
	// Others are the ids of its other journals, the newest first.
	Others    []string   `json:"others"`
	Conflicts []Conflict `json:"conflicts"`
}

// Boot is a boot and its end.
type Boot struct {
	Time    time.Time `json:"time"`    // of its newest record
	Outcome string    `json:"outcome"` // passed, failed or unfinished
	Exit    int       `json:"exit"`    // the exit code of a failed boot
	Stage   string    `json:"stage"`   // where it failed
	Reason  string    `json:"reason"`
	Attempt int       `json:"attempt"` // of the open reconstruction, 0 if none is open
}

// Flag is a flag of replay explain on the epoch in force.
type Flag struct {
	Code     string           `json:"code"`
	Severity explain.Severity `json:"severity"`
	Meaning  string           `json:"meaning"`
	Count    uint64           `json:"count"`
}

// Conflict is something that a node showed and that contradicts what the hub holds.
// Both checkpoints are signed by the node's key.
type Conflict struct {
	Kind    State      `json:"kind"` // rewritten or rolled_back
	Journal string     `json:"journal"`
	Time    time.Time  `json:"time"`
	Held    Side       `json:"held"`  // by the hub
	Shown   Side       `json:"shown"` // by the node
	First   *Differing `json:"first"` // null if it is not known
}

// Side is one side of a conflict.
type Side struct {
	Size       uint64 `json:"size"`
	Root       string `json:"root"`       // in Base64
	Checkpoint string `json:"checkpoint"` // the signed note
}

// Differing is the first record that differs. A hash is "" if there is no record.
type Differing struct {
	Seq   uint64 `json:"seq"`
	Held  string `json:"held"`  // BLAKE3 of the hub's record
	Shown string `json:"shown"` // BLAKE3 of the node's record
}
