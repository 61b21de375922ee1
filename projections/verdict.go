package projections

import "github.com/autonomyops/edged/machine"

// Kind is what a file found on the disk calls for.
type Kind string

// Kinds of verdict.
const (
	// Agrees: the file is what the journal projects, or that with members of a
	// newer version under a right digest. It is left alone.
	Agrees Kind = "agrees"
	// NotJudged: in this state the file has nothing to agree with.
	NotJudged Kind = "not_judged"
	// Repair: the file is to be made again, and a ProjectionRepaired says so.
	Repair Kind = "repair"
	// Cause: the file is cause for a reconstruction.
	Cause Kind = "cause"
	// Foreign: the file, undamaged, is of a history that this journal does not
	// hold. Nothing may be overwritten.
	Foreign Kind = "foreign"
)

// Reasons of a repair, as ProjectionRepaired has them.
const (
	ReasonMissing     = "missing"
	ReasonStale       = "stale"
	ReasonEdited      = "edited"
	ReasonReformatted = "reformatted"
	ReasonAnswered    = "answered"
)

// Verdict is what the comparison of one file with the journal came to.
type Verdict struct {
	Path string
	Kind Kind
	// Reason is one of the reasons of a repair, or for Cause and Foreign says
	// in words what was found.
	Reason string
	// Cause is set for Cause: fingerprint_tampered or foreign_writer.
	Cause machine.Cause
	// FoundBLAKE3 is of the file as found, "" where there is none.
	FoundBLAKE3 string
	// PreviousHash is the composite_hash that a fingerprint file claims, ""
	// where it cannot be had. It is short, printable ASCII.
	PreviousHash string
	// FoundEpoch is the boot_epoch that a fingerprint file claims. It is to be
	// recorded and never believed.
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
