// Package report writes a node's history as one HTML page, for people who would
// rather look than read. Its content is that of edgectl audit verify, replay
// explain, replay diff and journal show, from the same packages.
//
//	report.go  what the page says
//	judged.go  what was verified, and what could not be
//	fold.go    the state, the cause and the meaning of each record
//	lines.go   the records' bytes
//	write.go   the page as HTML
//	page/      its template, and its script and style with their sources
//
// A page holds two texts, each compressed with gzip and written in Base64: the
// Report as JSON, and the records as journal export writes them. The script
// unpacks both. An attacker may have written a record: the script only creates
// text nodes, and the page's Content-Security-Policy allows this one script and
// nothing from a network.
package report

import (
	"cmp"
	"context"
	"encoding/hex"
	"path"
	"slices"
	"strings"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/replay"
	"github.com/autonomyops/edged/replay/explain"
)

// Report is what the page says. page/src/data.ts has the same types.
type Report struct {
	Node    string         `json:"node"`
	Journal string         `json:"journal"`
	Source  history.Kind   `json:"source"`
	First   explain.Moment `json:"first"` // the first record that could be read
	Last    explain.Moment `json:"last"`
	Boots   uint64         `json:"boots"`

	OK       bool              `json:"ok"`
	Verdict  string            `json:"verdict"`
	Head     verify.Head       `json:"head"`
	Findings []journal.Finding `json:"findings"`
	Covers   []string          `json:"covers"`   // what was verified
	Unjudged []string          `json:"unjudged"` // what could not be

	Flags      []explain.FlagSum    `json:"flags"`
	Epochs     []Epoch              `json:"epochs"`
	Unreadable []explain.Unreadable `json:"unreadable"`

	folded
	// Flagged are the records that raise a flag, in order: seq, index into Flags,
	// seq, index …
	Flagged []uint64 `json:"flagged"`
	Runs    Runs     `json:"runs"`
}

// Epoch is one epoch of the history.
type Epoch struct {
	Epoch      uint64         `json:"epoch"`
	Why        string         `json:"why"`
	Began      explain.Moment `json:"began"`
	Last       explain.Moment `json:"last"`
	System     string         `json:"system"`
	Kernel     string         `json:"kernel"`
	Boots      uint64         `json:"boots"`
	CleanBoots uint64         `json:"clean_boots"`
	Flags      []explain.Flag `json:"flags"`
	Rows       []display.Row  `json:"rows"` // of replay explain
	Diff       []display.Row  `json:"diff"` // of replay diff, from the end of the epoch before
	Evidence   []File         `json:"evidence"`
	// EvidenceMissing is the reason why Evidence is incomplete, "" if it is not.
	EvidenceMissing string `json:"evidence_missing"`
}

// File is a file of an epoch, as text. A signature is in hex.
type File struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Runs are the runs of the gate and of operators' commands.
type Runs struct {
	First   []uint64 `json:"first"`   // record of each run
	Outcome string   `json:"outcome"` // a letter for each
	Exits   []int    `json:"exits"`   // of the failed ones
}

// build gathers the report on src. opt verifies the history at path, which src reads.
func build(ctx context.Context, src *history.Source, opt audit.VerifyOptions) (*Report, error) {
	checked, err := audit.Verify(ctx, src.Path(), opt)
	if err != nil {
		return nil, err
	}
	r := &Report{Source: src.Kind(), OK: checked.OK, Head: checked.Head, Findings: []journal.Finding{}, Epochs: []Epoch{}, Unreadable: []explain.Unreadable{},
		Flagged: []uint64{}, Runs: Runs{First: []uint64{}, Exits: []int{}}}
	for _, f := range checked.Findings {
		f.Detail = display.Clean(f.Detail)
		r.Findings = append(r.Findings, f)
	}
	var raised []raisedFlag
	var outcomes []byte
	why, err := explain.Explain(ctx, src, explain.Options{
		Progress: func(done, total uint64) { opt.Progress("explain", done, total) },
		Flagged:  func(code string, seq uint64) { raised = append(raised, raisedFlag{code, seq}) },
		Ran:      func(run explain.Run) { outcomes = append(outcomes, r.Runs.add(run)) },
	})
	if err != nil {
		return nil, err
	}
	r.Node, r.Journal, r.First, r.Last, r.Boots = display.Clean(why.Node), why.Journal, why.First, why.Last, why.Boots
	for _, u := range why.Unreadable {
		u.Reason = display.Clean(u.Reason)
		r.Unreadable = append(r.Unreadable, u)
	}
	r.flag(why.FlagSums(), raised)
	r.Runs.Outcome = string(outcomes)
	diffs, err := r.fold(ctx, src, func(done, total uint64) { opt.Progress("replay", done, total) })
	if err != nil {
		return nil, err
	}
	r.epochs(why, diffs, src)
	r.judge(checked, src)
	return r, nil
}

// raisedFlag is a flag and the record that raises it.
type raisedFlag struct {
	code string
	seq  uint64
}

// flag sets the flags and the records that raise them.
func (r *Report) flag(sums []explain.FlagSum, raised []raisedFlag) {
	r.Flags = sums
	slices.SortStableFunc(raised, func(a, b raisedFlag) int { return cmp.Compare(a.seq, b.seq) })
	for _, f := range raised {
		at := slices.IndexFunc(sums, func(s explain.FlagSum) bool { return s.Code == f.code })
		r.Flagged = append(r.Flagged, f.seq, uint64(at)) //nolint:gosec // each flag is in a sum
	}
}

// add adds a run and returns the letter of its outcome: o if it ended well, f if
// it failed, u if it did not end, and a if it is an operator's action.
func (r *Runs) add(run explain.Run) byte {
	r.First = append(r.First, run.First.Seq)
	switch {
	case !run.Gate:
		return 'a'
	case run.ExitCode != 0:
		r.Exits = append(r.Exits, run.ExitCode)
		return 'f'
	case run.Ended:
		return 'o'
	}
	return 'u'
}

// epochs adds the epochs. diffs are their differences to the epoch before.
func (r *Report) epochs(why *explain.Report, diffs map[uint64][]display.Row, src replay.History) {
	evidence := map[uint64][]File{}
	missing := ""
	for e, err := range replay.EpochsUntil(src, src.Tip().Seq) {
		var files []replay.File
		if err == nil {
			files, err = e.Files()
		}
		if err != nil {
			missing = display.Clean(err.Error())
			break
		}
		for _, f := range files {
			evidence[e.Number] = append(evidence[e.Number], File{Name: path.Base(f.Path), Text: text(f)})
		}
	}
	for _, e := range why.Epochs {
		out := Epoch{Epoch: e.Epoch, Why: display.Why(e), Began: e.Began, Last: e.Last, Boots: e.Boots, CleanBoots: e.CleanBoots.Count,
			Flags: []explain.Flag{}, Rows: display.EpochRows(e), Diff: diffs[e.Epoch], Evidence: evidence[e.Epoch]}
		if e.System != nil {
			out.System, out.Kernel = display.System(e.System.OSRelease), display.Clean(e.System.Kernel)
		}
		for _, f := range e.Flags {
			g := *f
			g.Detail = display.Clean(g.Detail)
			out.Flags = append(out.Flags, g)
		}
		if out.Evidence == nil {
			out.EvidenceMissing = missing
		}
		r.Epochs = append(r.Epochs, out)
	}
}

// text returns a file's content as printable ASCII: JSON with every other
// character escaped, or a signature in hex.
func text(f replay.File) string {
	if strings.HasSuffix(f.Path, replay.SignatureName) {
		return hex.EncodeToString(f.Data)
	}
	return display.CleanJSON(string(f.Data))
}
