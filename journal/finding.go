package journal

import (
	"cmp"
	"errors"
	"slices"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// Severity says whether a finding makes a journal bad.
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
	CodeOversized     = "oversized"         // longer than MaxRecord
	CodeNewer         = "newer_version"     // an envelope of a newer version
	CodeHeadMismatch  = "head_mismatch"     // the head file disagrees
	CodeTornTail      = "torn_tail"         // the newest write was cut short
	CodeStorage       = "storage_corrupt"   // Pebble's files are damaged
	CodeIO            = "io_error"          // it could not be read
	CodeTimeBackwards = "time_backwards"    // warning: the wall clock went back
	CodeUnknownKind   = "unknown_kind"      // warning: a kind that the caller does not know
	CodeHeadBehind    = "head_behind"       // warning: an append was not acknowledged
	CodeHeadSlot      = "head_slot_bad"     // warning: one slot is bad, the other agrees
	CodeTooMany       = "too_many_findings" // warning: the rest is not listed
)

// Finding is one thing that verification found. Seq is the first bad record,
// 0 where no record is meant.
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

// finish sorts and judges. Past limit findings the rest is counted as one; an
// error is not dropped for a warning.
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

// FindingOf describes an error of this package as a finding, so that a
// journal that cannot even be opened has a report too.
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
