package journal

import (
	"cmp"
	"errors"
	"slices"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// Severity is how serious a finding is: an error makes the journal bad.
type Severity string

// Severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Codes of findings. They are part of the JSON contract: none is renamed.
const (
	CodeHashMismatch  = "hash_mismatch"     // a record's hash is not the one that the head names
	CodeBrokenLink    = "broken_link"       // prev is not the hash of the record before
	CodeGap           = "gap"               // a sequence number is missing
	CodeDuplicate     = "duplicate"         // a sequence number comes again, or goes back
	CodeWrongJournal  = "wrong_journal"     // the record names another journal
	CodeNotCanonical  = "not_canonical"     // not the canonical form, or not a record at all
	CodeOversized     = "oversized"         // longer than record.MaxLen
	CodeNewer         = "newer_version"     // an envelope of a newer version
	CodeHeadMismatch  = "head_mismatch"     // the head file disagrees
	CodeTornTail      = "torn_tail"         // the newest write was cut short
	CodeStorage       = "storage_corrupt"   // Pebble's files are damaged
	CodeIO            = "io_error"          // a read failed
	CodeTimeBackwards = "time_backwards"    // warning: the wall clock went back
	CodeUnknownKind   = "unknown_kind"      // warning: a kind that the caller does not know
	CodeHeadBehind    = "head_behind"       // warning: an append was not acknowledged
	CodeHeadSlot      = "head_slot_bad"     // warning: one slot is bad, the other agrees
	CodeTooMany       = "too_many_findings" // warning: further findings are not listed
)

// Finding is one result of a verification. Seq is the first bad record, 0 if
// the finding is about no record.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	Seq      uint64   `json:"seq"`
	Detail   string   `json:"detail"`
}

// Report is the outcome of a verification. OK is false if a finding is an
// error. Head is the newest record that was read.
type Report struct {
	OK       bool
	Journal  string
	Events   uint64
	Head     record.Tip
	Findings []Finding
}

func (r *Report) add(f Finding) { r.Findings = append(r.Findings, f) }

// finish sorts the findings and sets OK. If there are more than limit, the last
// finding kept says so; errors are kept before warnings.
func (r *Report) finish(limit int) {
	bySeq := func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Code, b.Code))
	}
	r.OK = true
	for _, f := range r.Findings {
		r.OK = r.OK && f.Severity != SeverityError
	}
	if len(r.Findings) > limit {
		slices.SortStableFunc(r.Findings, func(a, b Finding) int {
			return cmp.Or(cmp.Compare(a.Severity, b.Severity), bySeq(a, b))
		})
		r.Findings = append(r.Findings[:limit:limit], Finding{SeverityWarning, CodeTooMany, 0, "further findings are not listed"})
	}
	slices.SortStableFunc(r.Findings, bySeq)
}

// FindingOf returns an error of this package as a finding, so that a journal
// that cannot be opened has a report too.
func FindingOf(err error) Finding {
	f := Finding{Severity: SeverityError, Code: CodeStorage, Detail: err.Error()}
	var e *errs.Error
	if errors.As(err, &e) {
		f.Seq = e.Seq
	}
	switch {
	case errors.Is(err, errs.ErrNewer):
		f.Code = CodeNewer
	case errors.Is(err, ErrForeign):
		f.Code = CodeWrongJournal
	case errors.Is(err, errs.ErrTooLarge):
		f.Code = CodeOversized
	case errors.Is(err, ErrRolledBack), errors.Is(err, ErrRewritten), errors.Is(err, ErrMissing):
		f.Code = CodeHeadMismatch
	case errors.Is(err, ErrTorn):
		f.Code = CodeTornTail
	case errors.Is(err, record.ErrNotCanonical):
		f.Code = CodeNotCanonical
	case errors.Is(err, errs.ErrIO), errors.Is(err, errs.ErrNotFound):
		f.Code = CodeIO
	}
	return f
}
