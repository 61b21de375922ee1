package status

import (
	"encoding/json"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// Projection is the result of comparing one file with the journal.
type Projection struct {
	Path   string `json:"path"`
	Health string `json:"health"` // agrees, not_judged, repair, cause or foreign
	Detail string `json:"detail"`
}

// FailureFile is bootstrap/last_failure.json.
type FailureFile struct {
	Time     time.Time `json:"time"`
	BootID   string    `json:"boot_id"`
	Run      string    `json:"run"`
	Node     string    `json:"node"`
	ExitCode int       `json:"exit_code"`
	Stage    string    `json:"stage"`
	Path     string    `json:"path"`
	Reason   string    `json:"reason"`
	Next     string    `json:"next"`
}

// failureFileLimit is the largest file that is read, in bytes: far more than a
// gate writes.
const failureFileLimit = 64 << 10

func (s *Status) failureFile(tree durable.FS) {
	data, _, err := durable.ReadFile(tree, stateroot.LastFailure, failureFileLimit)
	if absent(err) {
		return
	}
	var f FailureFile
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		s.problem("%s cannot be read: %s", stateroot.LastFailure, err)
		return
	}
	s.FailureFile = &f
	if s.Node == "" {
		s.Node = f.Node
	}
}

// Projections compares the files of the state root that src was opened at with
// state.
func Projections(src *history.Source, state machine.State) ([]Projection, error) {
	files, err := projections.Read(src.FS())
	if err != nil {
		return nil, err
	}
	verdicts, err := files.Judge(state, func(seq uint64) (machine.Event, error) {
		rec, err := src.Record(seq)
		if err != nil {
			return machine.Event{}, err
		}
		return replay.Event(rec)
	})
	if err != nil {
		return nil, err
	}
	return Describe(verdicts), nil
}

// Describe says of each verdict what the next boot does about it.
func Describe(verdicts []projections.Verdict) []Projection {
	all := make([]Projection, len(verdicts))
	for i, v := range verdicts {
		all[i] = Projection{Path: v.Path, Health: string(v.Kind), Detail: v.Reason}
		switch v.Kind {
		case projections.Repair:
			all[i].Detail += "; the next boot writes it again"
		case projections.Cause:
			all[i].Detail += "; the next boot reconstructs"
		case projections.Foreign:
			all[i].Detail += "; the next boot refuses"
		}
	}
	return all
}

// OK reports whether nothing is wrong with the file.
func (p Projection) OK() bool {
	return p.Health == string(projections.Agrees) || p.Health == string(projections.NotJudged)
}
