package audit

import (
	"cmp"
	"errors"
	"slices"

	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
)

// Verdict is the result of an audit.
type Verdict string

// Verdicts. Intact, Extended and Salvaged are good ones.
const (
	Intact       Verdict = "intact"       // no fault, and no record was added
	Extended     Verdict = "extended"     // records were added, none was changed
	Salvaged     Verdict = "salvaged"     // it continues a damaged journal, by a salvage
	Truncated    Verdict = "truncated"    // records are missing
	Rewritten    Verdict = "rewritten"    // records were changed
	Inconsistent Verdict = "inconsistent" // the records are good, but something else is not
)

// Codes of the findings of this package, in addition to those of packages verify
// and journal. They are part of the JSON contract: none is renamed.
const (
	CodeFile              = "bundle_file"          // a file's hash is not the one in the list of hashes
	CodeUnlisted          = "bundle_unlisted"      // a file is not in the list of hashes
	CodeAbsent            = "bundle_absent"        // a file that is listed or required is missing
	CodeAbout             = "bundle_about"         // bundle.json contradicts the bundle
	CodeForm              = "bundle_form"          // a line is not in the required form
	CodeKey               = "bundle_key"           // a key's file holds another key
	CodeScript            = "bundle_script"        // warning: check.sh or verify.py is not the one that this edgectl writes
	CodeEpoch             = "bundle_epoch"         // an epoch's file differs from the records
	CodeCheckpoint        = "checkpoint"           // the checkpoint is not over these records
	CodeUnsigned          = "checkpoint_absent"    // nobody vouches for these records
	CodeSigner            = "checkpoint_signature" // the right key did not sign the checkpoint
	CodeKeyOrigin         = "key_from_bundle"      // warning: the key does not prove who signed
	CodeRewritten         = "rewritten"            // records differ from those seen before
	CodeTruncated         = "truncated"            // fewer records than were seen before
	CodeSalvaged          = "salvaged"             // warning: it continues a damaged journal
	CodePredecessor       = verify.CodePredecessor
	CodePredecessorAbsent = verify.CodePredecessorAbsent
)

// The origin of the key under which a checkpoint was verified.
const (
	KeyGiven   = "given"  // the auditor holds it
	KeyBundled = "bundle" // it came with the bundle
	KeyNone    = "none"   // nothing was signed
)

// Report is the result, as it is printed.
type Report struct {
	Verdict Verdict     `json:"verdict"`
	OK      bool        `json:"ok"`
	Journal string      `json:"journal"`
	Events  uint64      `json:"events"`
	Head    verify.Head `json:"head"`
	Key     string      `json:"key"`
	Since   *Seen       `json:"since"`
	// Witnesses are the checkpoints that the named witnesses have signed; nil if none
	// was named.
	Witnesses []Witnessed       `json:"witnesses,omitzero"`
	First     *Difference       `json:"first_difference"`
	Findings  []journal.Finding `json:"findings"`
}

// Seen is the journal and the number of records that were seen before.
type Seen struct {
	Journal string `json:"journal"`
	Events  uint64 `json:"events"`
}

// Difference is the first record that is missing, differs from the one that was
// seen, or is bad itself. A hash is "" if it is not known or if there is no such
// record.
type Difference struct {
	Journal string `json:"journal"`
	Seq     uint64 `json:"seq"`
	Was     string `json:"was"`
	Is      string `json:"is"`
}

// ErrSince: the older history or checkpoint is no basis for a comparison.
var ErrSince = errors.New("cannot be compared with")

// conclude sorts the findings and sets OK and the verdict.
func (r *Report) conclude() {
	slices.SortStableFunc(r.Findings, func(a, b journal.Finding) int { return cmp.Compare(a.Seq, b.Seq) })
	bad, codes := false, map[string]bool{}
	for _, f := range r.Findings {
		bad = bad || f.Severity == journal.SeverityError
		codes[f.Code] = true
	}
	r.OK = !bad
	switch {
	case codes[CodeRewritten]:
		r.Verdict = Rewritten
	case codes[CodeTruncated]:
		r.Verdict = Truncated
	case bad:
		r.Verdict = Inconsistent
	case r.Since != nil && r.Since.Journal == r.Journal && r.Since.Events < r.Events:
		r.Verdict = Extended
	case r.Since != nil && r.Since.Journal == r.Journal:
		r.Verdict = Intact
	case codes[CodeSalvaged]:
		r.Verdict = Salvaged
	default:
		r.Verdict = Intact
	}
}
