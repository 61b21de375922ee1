package projections

import "github.com/autonomyops/edged/machine"

// Kind is the kind of a verdict.
type Kind string

// Kinds of verdict.
const (
	// Agrees: the file is what the journal projects, perhaps with members of a
	// newer version under a right digest. It is left alone.
	Agrees Kind = "agrees"
	// NotJudged: in this state there is nothing to compare the file with.
	NotJudged Kind = "not_judged"
	// Repair: the file must be written again, after a ProjectionRepaired.
	Repair Kind = "repair"
	// Cause: the file is cause for a reconstruction.
	Cause Kind = "cause"
	// Foreign: the file is undamaged, but of a history that this journal does not
	// hold. Nothing may be overwritten.
	Foreign Kind = "foreign"
)

// Reasons of a repair, as in ProjectionRepaired.
const (
	ReasonMissing     = "missing"
	ReasonStale       = "stale"
	ReasonEdited      = "edited"
	ReasonReformatted = "reformatted"
	ReasonAnswered    = "answered"
)

// Verdict is the result of comparing one file with the journal.
type Verdict struct {
	Path string
	Kind Kind
	// Reason is one of the reasons of a repair. For Cause and Foreign it is a
	// sentence about what was found.
	Reason string
	// Cause is set for Cause: fingerprint_tampered or foreign_writer.
	Cause machine.Cause
	// FoundBLAKE3 is of the file as found, "" if there is none.
	FoundBLAKE3 string
	// PreviousHash is the composite_hash in a fingerprint file, "" if it cannot
	// be read. It is short, printable ASCII.
	PreviousHash string
	// FoundEpoch is the boot_epoch in a fingerprint file. It may be recorded and
	// must never be trusted.
	FoundEpoch *uint64
}

func (v Verdict) as(kind Kind, reason string) Verdict {
	v.Kind, v.Reason = kind, reason
	return v
}

func (v Verdict) cause(cause machine.Cause, reason string) Verdict {
	v.Cause = cause
	return v.as(Cause, reason)
}
