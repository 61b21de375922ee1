package verify

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// Fold folds the records of a journal, and checks whether a gate can have written each
// of them in the state before it: its form, its place in the life of a node, signatures
// and manifests. The chain must have been verified.
type Fold struct {
	// Findings are those so far.
	Findings []journal.Finding

	journal string
	fold    *machine.Fold
	keys    keyring
	last    *manifest.Manifest // of the newest ManifestVerified, nil if it does not parse
	text    []byte             // of last
}

// NewFold returns the fold of a journal before its first record.
func NewFold(journalID string) *Fold {
	return &Fold{journal: journalID, fold: machine.NewFold(machine.State{}), keys: keyring{}}
}

// Progress is what a fold needs to continue. Its JSON form is for the program that wrote
// it: a fold can always begin again.
type Progress struct {
	State []byte `json:"state"` // as machine.EncodeState writes it
	// Keys are the manifest keys of the history so far.
	Keys [][]byte `json:"keys"`
	// Manifest is the newest one verified; its operations may not all be applied yet.
	Manifest []byte `json:"manifest"`
}

// Resume returns the fold that Progress was called on.
func Resume(journalID string, p Progress) (*Fold, error) {
	state, err := machine.DecodeState(p.State)
	if err != nil {
		return nil, err
	}
	f := &Fold{journal: journalID, fold: machine.NewFold(state), keys: keyring{}}
	for _, key := range p.Keys {
		f.keys.add(key)
	}
	f.last, _ = manifest.Parse(p.Manifest) // nil, as before, if it does not parse
	f.text = p.Manifest
	return f, nil
}

// Progress returns what is needed to continue. The fold must have a record.
func (f *Fold) Progress() (Progress, error) {
	state, err := machine.EncodeState(f.fold.State())
	keys := slices.Collect(maps.Values(f.keys))
	slices.SortFunc(keys, func(a, b ed25519.PublicKey) int { return slices.Compare(a, b) })
	p := Progress{State: state, Manifest: f.text}
	for _, key := range keys {
		p.Keys = append(p.Keys, key)
	}
	return p, err
}

// State returns the state after the newest record.
func (f *Fold) State() machine.State { return f.fold.State() }

func (f *Fold) found(sev journal.Severity, code string, seq uint64, format string, args ...any) {
	f.Findings = append(f.Findings, journal.Finding{Severity: sev, Code: code, Seq: seq, Detail: fmt.Sprintf(format, args...)})
}

func (f *Fold) bad(code string, seq uint64, format string, args ...any) {
	f.found(journal.SeverityError, code, seq, format, args...)
}

// errUnknownState is the reason why the records after one that cannot be folded
// are not verified.
var errUnknownState = errors.New("the state after this record is not known")

// Add folds the next record. It returns false if the state after it is not known; no
// record can then be added.
func (f *Fold) Add(rec record.Record) bool {
	event, err := replay.Event(rec)
	switch {
	case errors.Is(err, machine.ErrNewer):
		// This is an error although nothing is damaged: otherwise an attacker
		// could append one such record, and what follows would pass with exit
		// status 0.
		f.Findings = append(f.Findings, stopped(journal.SeverityError, rec.Seq, fmt.Errorf("%w; verify it with the release that wrote it, or a later one", err)))
		return false
	case err != nil:
		f.bad(CodePayload, rec.Seq, "%v", err)
		f.Findings = append(f.Findings, stopped(journal.SeverityError, rec.Seq, errUnknownState))
		return false
	}
	before := f.fold.State()
	if err := f.fold.Apply(event); err != nil {
		f.bad(CodeTransition, rec.Seq, "%v", err)
		f.Findings = append(f.Findings, stopped(journal.SeverityError, rec.Seq, errUnknownState))
		return false
	}
	f.judge(event, before)
	return true
}

// judge checks the signatures and manifests that the machine does not check.
func (f *Fold) judge(e machine.Event, before machine.State) {
	switch p := e.Payload.(type) {
	case machine.ManifestVerified:
		f.manifest(e.Seq, p, before)
	case machine.OpApplied:
		f.operation(e.Seq, p)
	case machine.KeyRotated:
		f.rotatedKey(e.Seq, p, before)
	case machine.KeyReplaced:
		f.found(journal.SeverityWarning, CodeKeyReplace, e.Seq, "the %s key was replaced without a statement of the old one, by %s: %s", p.Purpose, p.By, p.Reason)
	}
}
