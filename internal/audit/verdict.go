package audit

import (
	"cmp"
	"errors"
	"slices"

	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
)

// Verdict says what became of a history since it was last seen.
type Verdict string

// Verdicts. Intact, Extended and Salvaged are good ones.
const (
	Intact       Verdict = "intact"       // nothing is wrong, and nothing was added
	Extended     Verdict = "extended"     // records were added, none was changed
	Salvaged     Verdict = "salvaged"     // it continues a damaged journal, and says so
	Truncated    Verdict = "truncated"    // records that were seen are gone
	Rewritten    Verdict = "rewritten"    // other records stand where others were seen
	Inconsistent Verdict = "inconsistent" // the records hold, something else in the evidence does not
)

// Codes of the findings that only an audit has, beside those of verify and
// journal. They are part of the JSON contract: none is renamed.
const (
	CodeFile        = "bundle_file"          // a file is not the one that the list of hashes names
	CodeUnlisted    = "bundle_unlisted"      // a file is not in the list of hashes
	CodeAbsent      = "bundle_absent"        // a file of the list, or one that must be there, is not
	CodeAbout       = "bundle_about"         // bundle.json says otherwise
	CodeForm        = "bundle_form"          // a line of it is not written as it must be
	CodeKey         = "bundle_key"           // a key's file is of another key
	CodeScript      = "bundle_script"        // warning: check.sh is not the one that is known here
	CodeEpoch       = "bundle_epoch"         // an epoch's file is not what the records give
	CodeCheckpoint  = "checkpoint"           // the checkpoint is not over these records
	CodeUnsigned    = "checkpoint_absent"    // nobody vouches for these records
	CodeSigner      = "checkpoint_signature" // it is not signed by the key that it must be signed by
	CodeKeyOrigin   = "key_from_bundle"      // warning: the key proves nothing about who signed
	CodeRewritten   = "rewritten"            // other records than those seen before
	CodeTruncated   = "truncated"            // fewer records than were seen before
	CodeSalvaged    = "salvaged"             // warning: it continues a damaged journal
	CodeStory       = verify.CodePredecessor
	CodeStoryAbsent = verify.CodePredecessorAbsent
)

// Where the key that a checkpoint was verified under came from.
const (
	KeyGiven   = "given"  // the auditor holds it
	KeyBundled = "bundle" // it came with what it signs
	KeyNone    = "none"   // nothing was signed
)

// Report is the result, as it is printed.
type Report struct {
	Verdict  Verdict           `json:"verdict"`
	OK       bool              `json:"ok"`
	Journal  string            `json:"journal"`
	Events   uint64            `json:"events"`
	Head     verify.Head       `json:"head"`
	Key      string            `json:"key"`
	Since    *Seen             `json:"since"`
	First    *Difference       `json:"first_difference"`
	Findings []journal.Finding `json:"findings"`
}

// Seen is what an auditor holds from before: how far it reaches.
type Seen struct {
	Journal string `json:"journal"`
	Events  uint64 `json:"events"`
}

// Difference is the first record that is not the one that was seen, or that
// does not hold by itself. A hash is "" where it is not known, or where there
// is no such record.
type Difference struct {
	Journal string `json:"journal"`
	Seq     uint64 `json:"seq"`
	Was     string `json:"was"`
	Is      string `json:"is"`
}

// ErrSince: what was given to compare with cannot be compared with.
var ErrSince = errors.New("cannot be compared with")

// conclude sorts the findings and gives the verdict.
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
