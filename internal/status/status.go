// Package status describes a node on one screen: its state by the journal, whether
// its files agree, the keys in force, the last boot, and the findings of package
// doctor. It only reads, also on a live node or on the disk of a dead one.
//
// A fact that cannot be known is reported as unknown, with the reason. A node whose
// journal cannot be opened has a status too.
package status

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/autonomyops/edged/internal/doctor"
	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// Status is the status of a node, as it is printed. A member that is null is
// unknown or does not exist yet; if it is unknown, Problems has the reason.
type Status struct {
	// Healthy: the journal could be read, the last boot passed, no reconstruction
	// is open, every file agrees with the journal, and doctor finds no error.
	Healthy  bool     `json:"healthy"`
	Problems []string `json:"problems"`
	Notices  []string `json:"notices"` // important, but not faults
	// Incomplete is the known damage of the history.
	Incomplete     string          `json:"incomplete,omitempty"`
	Node           string          `json:"node"`
	Journal        string          `json:"journal"`
	Head           *Head           `json:"head"`
	Phase          machine.Phase   `json:"phase"`
	Epoch          *uint64         `json:"epoch"`
	LastBoot       *Boot           `json:"last_boot"`      // the newest boot, rather than an operator's command
	Reconstruction *Reconstruction `json:"reconstruction"` // the open one
	LastUpdate     *Update         `json:"last_update"`    // the one that began the running epoch
	LastFailure    *Failure        `json:"last_failure"`   // the newest one in the journal
	// FailureFile is bootstrap/last_failure.json: the newest failure that
	// could not be journaled.
	FailureFile *FailureFile `json:"last_failure_file"`
	Projections []Projection `json:"projections"`
	Keys        Keys         `json:"keys"`
	TimeFloor   *time.Time   `json:"time_floor"`
	// Tail describes the part of the journal that has not settled; null for an
	// export or a bundle.
	Tail *journal.TailUse `json:"tail"`
	// Doctor is the report of an examination without a verification of the whole
	// journal; null if there is no state root.
	Doctor *doctor.Report `json:"doctor"`

	skipped string // the parameter of Read
	unread  string // the reason why the history cannot be read or is incomplete
}

// Head is the newest record.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Outcomes of a boot.
const (
	OutcomeOK         = "ok"
	OutcomeFailed     = "failed"
	OutcomeUnfinished = "unfinished" // it is running, or was interrupted
)

// Boot is the newest boot in the journal.
type Boot struct {
	Outcome  string    `json:"outcome"`
	ExitCode *int      `json:"exit_code"` // null if the run did not end
	Time     time.Time `json:"time"`      // of its newest record
	BootID   string    `json:"boot_id"`
	Run      string    `json:"run"`
	Seq      uint64    `json:"seq"` // of its first record
	// DurationMS is the time from its first to its newest record.
	DurationMS int64 `json:"duration_ms"`
}

// Reconstruction is an open reconstruction.
type Reconstruction struct {
	Since    uint64          `json:"since"` // seq of its first UpdateDetected
	Attempt  int             `json:"attempt"`
	Causes   []machine.Cause `json:"causes"`
	Applied  int             `json:"applied"`
	Of       *int            `json:"of"` // operations; null before a manifest was verified
	Manifest string          `json:"manifest_hash"`
}

// Failure is a PrecheckFailed.
type Failure struct {
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	ExitCode int       `json:"exit_code"`
	Stage    string    `json:"stage"`
	Path     string    `json:"path"`
	Reason   string    `json:"reason"`
}

// Read returns the status of the node whose state root or journal is at path. It
// calls examine if path is a state root. skipped is the mount option that kept the
// log of the filesystem from being replayed, from history.LogSkipped; "" if there
// is none. The error is that of [history.Open] for anything but a state root.
func Read(path, skipped string, examine func() (*doctor.Report, error)) (Status, error) {
	s := Status{Problems: []string{}, Notices: []string{}, Projections: []Projection{}, skipped: skipped}
	if skipped != "" {
		s.notice("%s", history.WarnLogSkipped(skipped))
	}
	at, kind, err := history.Detect(path)
	if err != nil {
		return s, err
	}
	src, err := history.Open(path)
	if err != nil {
		if kind != history.StateRoot {
			return s, err
		}
		err = s.withoutJournal(at, history.NameDamage(err, path, skipped))
	} else {
		defer src.Close() //nolint:errcheck // read-only
		if err := s.history(src); err != nil {
			s.problem("the history cannot be replayed: %s", err)
		}
		if tree := src.FS(); tree != nil && kind == history.StateRoot {
			s.failureFile(tree)
			s.deployedKeys(tree)
		}
	}
	if err != nil {
		return s, err
	}
	s.judge()
	if kind == history.StateRoot {
		s.examined(examine())
	}
	if s.unread != "" && (s.Doctor == nil || s.Doctor.OK) { // otherwise doctor reports it
		s.problem("%s", s.unread)
	}
	s.Healthy = len(s.Problems) == 0
	return s, nil
}

// examined adds the findings of doctor, except those about projections, which
// Projections has.
func (s *Status) examined(rep *doctor.Report, err error) {
	if err != nil {
		s.problem("the node could not be examined: %s", err)
		return
	}
	s.Doctor = rep
	s.Node = cmp.Or(s.Node, rep.Node)
	for _, f := range rep.Findings {
		switch {
		case f.Severity == doctor.Error:
			s.problem("%s", f.Line())
		case f.Code != "edge.projection.repaired":
			s.notice("%s: %s", f.Code, f.Line())
		}
	}
}

// withoutJournal sets the status of a state root whose journal cannot be opened:
// before the first boot, or on a damaged disk.
func (s *Status) withoutJournal(at string, reason error) error {
	tree, err := durable.OpenRootReadOnly(at)
	if err != nil {
		return err
	}
	defer tree.Close() //nolint:errcheck // read-only
	if errors.Is(reason, errs.ErrNotFound) {
		s.problem("no boot has run here yet: there is no journal")
	} else {
		s.unread = "the journal cannot be read: " + reason.Error()
	}
	s.failureFile(tree)
	s.deployedKeys(tree)
	return nil
}

func (s *Status) history(src *history.Source) error {
	tip := src.Tip()
	s.Journal, s.Head = src.ID(), &Head{Seq: tip.Seq, Hash: tip.Hash.String()}
	if damage := history.NameDamage(src.Damage(), src.Path(), s.skipped); damage != nil {
		s.Incomplete = damage.Error()
		s.unread = "the history is damaged or incomplete: " + s.Incomplete
	}
	if src.Kind() == history.Directory {
		s.notice("this journal has no head file here: nothing vouches for its newest records")
	}
	if view := src.View(); view != nil {
		use := view.Tail()
		s.Tail = &use
	}
	state, _, err := replay.State(src, tip.Seq)
	if err != nil {
		return err
	}
	s.Node, s.Phase, s.Epoch = state.Node, state.Phase, &state.Epoch
	if err := s.lastBoot(src); err != nil {
		return err
	}
	s.open(state)
	if f := state.LastFail; f != nil {
		s.LastFailure = &Failure{Seq: f.Seq, Time: f.Time, ExitCode: f.Failed.ExitCode, Stage: f.Failed.Stage,
			Path: f.Failed.Path, Reason: f.Failed.Reason}
	}
	if floor := state.TimeFloor(""); !floor.IsZero() {
		s.TimeFloor = &floor
	}
	s.journaledKeys(state)
	if v := state.Salvage; v != nil {
		s.notice("this journal continues %s, which was damaged; lost: %s", cmp.Or(v.Predecessor, "unknown"), v.Lost)
	}
	if d := state.Drill; d != nil {
		s.notice("the next boot is a drill, requested by %s: %s", d.By, d.Reason)
	}
	if src.Kind() == history.StateRoot {
		if s.Projections, err = Projections(src, state); err != nil {
			return err
		}
	}
	s.LastUpdate, err = lastUpdate(src, state)
	return err
}

func (s *Status) open(state machine.State) {
	o := state.Open
	if o == nil {
		return
	}
	s.Reconstruction = &Reconstruction{Since: o.First, Attempt: o.Attempt, Causes: slices.Clone(o.Causes), Applied: len(o.Applied)}
	if m := o.Manifest; m != nil {
		s.Reconstruction.Of, s.Reconstruction.Manifest = &m.Operations, m.Hash
	}
}

// judge adds the problems of the last boot, the open reconstruction and the files.
func (s *Status) judge() {
	if b := s.LastBoot; b != nil {
		switch b.Outcome {
		case OutcomeFailed:
			s.problem("the last boot failed with exit code %d", *b.ExitCode)
		case OutcomeUnfinished:
			s.problem("the last boot has not ended")
		}
	}
	if r := s.Reconstruction; r != nil {
		s.problem("a reconstruction is open since record %d, attempt %d", r.Since, r.Attempt)
	}
	if f := s.FailureFile; f != nil && s.LastBoot != nil && f.Time.After(s.LastBoot.Time) {
		s.problem("a boot after the last one in the journal failed with exit code %d: %s", f.ExitCode, f.Reason)
	}
	for _, p := range s.Projections {
		if !p.OK() {
			s.problem("%s: %s", p.Path, p.Detail)
		}
	}
}

func (s *Status) problem(format string, args ...any) {
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (s *Status) notice(format string, args ...any) {
	s.Notices = append(s.Notices, fmt.Sprintf(format, args...))
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
