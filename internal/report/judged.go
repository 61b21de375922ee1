package report

import (
	"fmt"
	"strings"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
)

// judge sets the verdict, what it covers, and what it does not.
func (r *Report) judge(checked audit.Report, src *history.Source) {
	r.Verdict = string(checked.Verdict)
	codes := map[string]bool{}
	sound := true // no record is bad
	for _, f := range checked.Findings {
		codes[f.Code] = true
		sound = sound && (f.Severity != journal.SeverityError || f.Seq == 0)
	}
	covers := func(format string, args ...any) { r.Covers = append(r.Covers, fmt.Sprintf(format, args...)) }
	not := func(format string, args ...any) { r.Unjudged = append(r.Unjudged, fmt.Sprintf(format, args...)) }
	read := display.Count(int(checked.Events), "record") //nolint:gosec // fits
	if sound {
		covers("%s: the form, hash, place and link of each", read)
	} else {
		covers("%s: the form, hash, place and link of each; the findings name those that are bad", read)
	}
	switch {
	case codes[verify.CodeStopped]:
		not("whether a gate can have written each record, and the manifests: the replay stopped, see the findings")
	case sound:
		covers("a replay of all records: a gate can have written each of them in the state before it")
		covers("the manifest of every epoch: its signature, and the continuity of keys from the first one")
	default:
		not("whether a gate can have written the records after the first bad one, and their manifests")
	}
	switch src.Kind() {
	case history.StateRoot:
		covers("the head file, the snapshots, and the files that the gate published from the journal")
		not("whether the installed runtime files are still those that the newest epoch installed: the next boot compares them")
	case history.Directory:
		not("whether newer records are missing: the head file is not here")
	case history.Export:
		not("whether newer records are missing, and the files of the node: an export holds records only")
	case history.Bundle:
		covers("the bundle's other files: evidence, manifests and keys of every epoch, against the records")
		if checked.Key == audit.KeyBundled {
			covers("the checkpoint's signature, under the key in the bundle")
			not("who signed: the key came with the bundle; compare it with one that you hold (edgectl audit verify --key)")
		}
	}
	for _, u := range r.Unreadable {
		not("%s: %s", u.Records(), u.Reason)
	}
	if tip := src.Tip().Seq; tip != checked.Head.Seq && sound {
		not("the records after %d: the history grew while it was verified", min(tip, checked.Head.Seq))
	}
	if r.First.Seq > 1 {
		not("records 1 to %d: they are not here", r.First.Seq-1)
	}
	not("whether the whole history was replaced by an older copy, or written again with the node's own key: only a checkpoint that somebody else kept can show that (edgectl audit verify --since)")
	if !r.OK {
		r.Verdict = strings.ToUpper(r.Verdict)
	}
}
