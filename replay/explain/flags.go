package explain

import (
	"maps"
	"slices"
)

// Severity is the severity of a flag.
type Severity string

// Severities. A warning is unusual on a healthy node, and an operator should know
// its reason; a notice is intended or harmless.
const (
	Warning Severity = "warning"
	Notice  Severity = "notice"
)

// Codes of flags. They are stable: they are never renamed or reused.
const (
	FlagBeginsLate         = "begins-late"
	FlagBootUnfinished     = "boot-unfinished"
	FlagChainBroken        = "chain-broken"
	FlagClockBelowFloor    = "clock-below-floor"
	FlagClockRegression    = "clock-regression"
	FlagClockReset         = "clock-reset"
	FlagDrill              = "drill"
	FlagFingerprintTamper  = "fingerprint-tampered"
	FlagForeignWriter      = "foreign-writer"
	FlagHashNotPinned      = "hash-not-pinned"
	FlagHeadRebuilt        = "head-rebuilt"
	FlagKeyReplaced        = "key-replaced"
	FlagKeyRotated         = "key-rotated"
	FlagLegacyAdopted      = "legacy-adopted"
	FlagMountCheckSkipped  = "mount-check-skipped"
	FlagNodeRenamed        = "node-renamed"
	FlagProjectionRepaired = "projection-repaired"
	FlagRecordUnreadable   = "record-unreadable"
	FlagRepeatedFailure    = "repeated-failure"
	FlagRuntimeDrift       = "runtime-drift"
	FlagSalvaged           = "salvaged"
	FlagSerialLowered      = "serial-lowered"
	FlagUnknownKind        = "unknown-kind"
	FlagUpdateAbandoned    = "update-abandoned"
	FlagUpdateOpen         = "update-open"
	FlagUpdateSuperseded   = "update-superseded"
)

type meaning struct {
	severity Severity
	text     string
}

// meanings returns severity and meaning of each code.
func meanings() map[string]meaning {
	return map[string]meaning{
		FlagBeginsLate:         {Notice, "the records begin in the middle of the history: the earlier ones are not here"},
		FlagBootUnfinished:     {Warning, "a boot began and never ended: power was lost, it was killed, or it is running now"},
		FlagChainBroken:        {Warning, "a record does not link to the one before it: verify the history before you rely on it"},
		FlagClockBelowFloor:    {Warning, "the wall clock was earlier than a journaled time; validity was judged at the floor"},
		FlagClockRegression:    {Warning, "the wall clock went back between two records; their order is that of their numbers"},
		FlagClockReset:         {Warning, "somebody lowered the time floor"},
		FlagDrill:              {Notice, "an operator requested a reconstruction, as an exercise"},
		FlagFingerprintTamper:  {Warning, "the fingerprint file was edited, emptied or unreadable: the runtime was rebuilt"},
		FlagForeignWriter:      {Warning, "software that keeps no journal wrote the fingerprint file"},
		FlagHashNotPinned:      {Notice, "the manifest did not pin the content of an installed file"},
		FlagHeadRebuilt:        {Warning, "the head file was damaged or absent, and was written again after the whole journal was verified"},
		FlagKeyReplaced:        {Warning, "a key was replaced without a statement of the old one: only a person vouches for it"},
		FlagKeyRotated:         {Notice, "a key was replaced by a statement that the old one signed"},
		FlagLegacyAdopted:      {Notice, "the state of software that kept no journal was adopted"},
		FlagMountCheckSkipped:  {Warning, "filesystem and device of the state root were not checked (EDGE_STATE_ROOT_SKIP_MOUNT_CHECK)"},
		FlagNodeRenamed:        {Notice, "the node was renamed"},
		FlagProjectionRepaired: {Warning, "a file differed from the journal, and was written again"},
		FlagRecordUnreadable:   {Warning, "a record could not be read: the history has a gap there"},
		FlagRepeatedFailure:    {Warning, "boots in a row failed for the same reason"},
		FlagRuntimeDrift:       {Warning, "a file that the epoch had installed was missing or changed"},
		FlagSalvaged:           {Warning, "this journal continues a damaged one; its first record says what was lost"},
		FlagSerialLowered:      {Warning, "an epoch began under a manifest of a lower serial: it was signed as a rollback"},
		FlagUnknownKind:        {Warning, "a record of a kind that this version does not know: use a newer edgectl"},
		FlagUpdateAbandoned:    {Notice, "the system went back to the baseline before anything was applied"},
		FlagUpdateOpen:         {Warning, "a reconstruction is still open at the end of the records"},
		FlagUpdateSuperseded:   {Notice, "the system changed again while a reconstruction was open"},
	}
}

// Flags returns all codes, in alphabetical order.
func Flags() []string { return slices.Sorted(maps.Keys(meanings())) }

// Meaning returns the meaning of a code in a sentence, "" for an unknown code.
func Meaning(code string) string { return meanings()[code].text }

// FlagSum sums up the flags of one code in all epochs.
type FlagSum struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Meaning  string   `json:"meaning"`
	Count    uint64   `json:"count"`
	Epochs   int      `json:"epochs"` // that have the flag
	First    Moment   `json:"first"`
}

// FlagSums returns the flags of all epochs, each code once: the warnings first,
// then in alphabetical order.
func (r *Report) FlagSums() []FlagSum {
	sums := map[string]*FlagSum{}
	for _, e := range r.Epochs {
		for _, f := range e.Flags {
			s := sums[f.Code]
			if s == nil {
				s = &FlagSum{Code: f.Code, Severity: f.Severity, Meaning: Meaning(f.Code), First: f.First}
				sums[f.Code] = s
			}
			s.Count += f.Count
			s.Epochs++
		}
	}
	out := []FlagSum{}
	for _, severity := range []Severity{Warning, Notice} {
		for _, code := range Flags() {
			if s := sums[code]; s != nil && s.Severity == severity {
				out = append(out, *s)
			}
		}
	}
	return out
}
