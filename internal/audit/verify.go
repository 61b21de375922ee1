package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/journal"
)

// VerifyOptions of Verify.
type VerifyOptions struct {
	// Since is the path of what the auditor holds from before: a checkpoint,
	// an older bundle, or an export; "" for nothing.
	Since string
	// Key is the checkpoint key as the auditor holds it, in the form of signed
	// notes; "" takes the one that came with the bundle. Several stand one a
	// line, oldest first: the last one, or one that rotations lead to from it,
	// must have signed the bundle. Those before it are believed for what Since
	// names alone: a key is replaced because it was stolen, and whoever has it
	// can sign a history in which it never was.
	Key string
	// LogSkipped is the mount option by which the log of the filesystem was not
	// replayed, from history.LogSkipped; "" if there is none.
	LogSkipped string
	// Progress hears how many records are done in a stage, and of how many.
	Progress func(stage string, done, total uint64)
}

// auditor judges one history.
type auditor struct {
	report   Report
	src      *history.Source
	before   []*history.Source       // the journals that it continues, newest first
	given    int                     // how many keys the auditor holds
	keys     []transparency.Verifier // that are believed
	signers  []transparency.Verifier // those of them that may have signed the bundle
	inForce  []keyInForce            // the checkpoint keys that the records name, in their order
	vouched  bool                    // what was kept from before is signed, and over all the records
	skipped  string                  // VerifyOptions.LogSkipped
	progress func(stage string, done, total uint64)
	sound    bool // no record was found to be bad
	newer    error
	*findings
}

// Verify judges the history at path: a bundle, or whatever else is evidence,
// of which less can be said. What is wrong with it is in the report; the error
// is for what could not be done: unreadable, no evidence, cut short, written
// by a newer version, or nothing that it can be compared with.
func Verify(ctx context.Context, path string, opt VerifyOptions) (Report, error) {
	a := &auditor{report: Report{Key: KeyNone}, findings: &findings{}, skipped: opt.LogSkipped, progress: opt.Progress}
	if a.progress == nil {
		a.progress = func(string, uint64, uint64) {}
	}
	for _, text := range strings.Fields(opt.Key) {
		v, err := transparency.NewVerifier(text)
		if err != nil {
			return Report{}, fmt.Errorf("read the checkpoint key: %w", err)
		}
		a.keys = append(a.keys, v)
	}
	a.given = len(a.keys)
	_, kind, err := history.Detect(path)
	if err != nil {
		return Report{}, err
	}
	judge := a.unbundled
	if kind == history.Bundle {
		judge = a.bundle
	}
	return judge(ctx, path, opt)
}

// bundle judges a bundle.
func (a *auditor) bundle(ctx context.Context, path string, opt VerifyOptions) (Report, error) {
	p, err := takeApart(ctx, path, a.findings)
	if err != nil {
		return Report{}, err
	}
	defer p.close()
	a.report.Journal = p.about.Journal
	if p.records == nil {
		return a.done()
	}
	a.src = p.records
	if err := a.records(ctx); err != nil {
		return Report{}, err
	}
	if p.damage != nil && a.sound { // no line is there that could be found bad
		a.damaged([]journal.Finding{journal.FindingOf(p.damage)})
	}
	if a.src.Tip().Seq == 0 {
		return a.done() // nothing verifies that the rest could be held against
	}
	if err := a.told(ctx, p); err != nil {
		return Report{}, err
	}
	a.aboutAgrees(p)
	if err := a.checkpoint(ctx, p); err != nil {
		return Report{}, err
	}
	a.publicAgrees(p)
	if err := a.epochs(ctx, p); err != nil {
		return Report{}, err
	}
	if err := a.since(ctx, opt.Since); err != nil {
		return Report{}, err
	}
	return a.done()
}

// unbundled judges a history that is no bundle: nobody has signed it.
func (a *auditor) unbundled(ctx context.Context, path string, opt VerifyOptions) (Report, error) {
	src, err := history.Open(path)
	if errors.Is(err, errs.ErrNewer) {
		return Report{}, err
	}
	if err != nil {
		rep, err := verify.Path(ctx, path, verify.Options{LogSkipped: a.skipped, Progress: a.progress})
		if err != nil {
			return Report{}, err
		}
		a.report.Journal, a.report.Events, a.report.Head = rep.Journal, rep.Events, rep.Head
		a.damaged(rep.Findings)
		return a.done()
	}
	defer src.Close() //nolint:errcheck // read-only
	a.src = src
	a.ended(filepath.Base(path), src)
	if err := a.records(ctx); err != nil {
		return Report{}, err
	}
	before, note := verify.Predecessors(src)
	defer func() {
		for _, p := range before {
			_ = p.Close() // read-only
		}
	}()
	a.story(before)
	if note != "" && src.Kind() != history.StateRoot { // of a state root it was found with the records
		a.warn(CodeStoryAbsent, 1, "%s", note)
	}
	for _, p := range before {
		if err := a.predecessor(ctx, filepath.ToSlash(strings.TrimPrefix(p.Path(), src.Path()+string(filepath.Separator))), p); err != nil {
			return Report{}, err
		}
	}
	if err := a.followKeys(ctx); err != nil {
		return Report{}, err
	}
	if err := a.since(ctx, opt.Since); err != nil {
		return Report{}, err
	}
	a.unsigned(opt)
	return a.done()
}

// unsigned says that nobody vouches for what is no bundle. Who gives a key asks
// for a signature, and whoever hands over a file decides what it is: an export
// must not do where a bundle would have been refused, unless what the auditor
// kept is signed and over all of it. A state root is the auditor's own choice,
// and the key is then for what Since names.
func (a *auditor) unsigned(opt VerifyOptions) {
	const next = "a bundle that edgectl audit bundle makes on the node has one"
	if a.given > 0 && !a.vouched && (a.src.Kind() == history.Export || opt.Since == "") {
		a.bad(CodeUnsigned, 0, "there is no checkpoint: no key that was given has signed all that is here; %s", next)
		return
	}
	a.warn(CodeUnsigned, 0, "there is no checkpoint: nobody vouches for these records; %s", next)
}

// done gives the verdict. There is none on what a newer release wrote: this one
// cannot read all of it, and must neither accuse an honest node nor pass over
// what it does not know.
func (a *auditor) done() (Report, error) {
	if a.newer != nil {
		return Report{}, a.newer
	}
	a.report.Findings = a.listed()
	a.report.conclude()
	return a.report, nil
}

// takeOver adds the findings of a verification, and remembers if one of them is
// that a newer release wrote a record. After a payload or an event that does
// not hold, what follows is not judged either; that is no newer release.
func (a *auditor) takeOver(list []journal.Finding, take func(journal.Finding)) {
	stopped := map[uint64]bool{}
	for _, f := range list {
		if f.Code == verify.CodePayload || f.Code == verify.CodeTransition {
			stopped[f.Seq] = true
		}
	}
	for _, f := range list {
		if f.Code == journal.CodeNewer || f.Code == verify.CodeStopped && f.Severity == journal.SeverityError && !stopped[f.Seq] {
			a.newer = &errs.Error{Kind: errs.ErrNewer, Seq: f.Seq, Detail: "judge a history", Next: "judge it with the release that wrote it, or a later one"}
		}
		take(f)
	}
}

// records judges form, place and links, and what a replay can tell.
func (a *auditor) records(ctx context.Context) error {
	rep, err := verify.Source(ctx, a.src, verify.Options{Deep: a.src.Tip().Seq > 0, LogSkipped: a.skipped, Progress: a.progress})
	if err != nil {
		return err
	}
	a.sound = rep.OK
	a.report.Journal, a.report.Events, a.report.Head = cmp.Or(rep.Journal, a.report.Journal), rep.Events, rep.Head
	a.damaged(rep.Findings)
	return nil
}

// damaged takes over what verification found, and says what it means for the
// history: its records are not those that were written, or some are gone.
func (a *auditor) damaged(findings []journal.Finding) {
	first := uint64(1)
	if a.src != nil && a.src.Tip().Seq > 0 {
		first = a.src.First()
	}
	a.takeOver(findings, func(f journal.Finding) {
		if f.Code == journal.CodeGap && f.Seq == 1 && first > 1 {
			f.Detail = fmt.Sprintf("records 1 to %d are not here: it is an export of a part", first-1)
			f.Code = CodeTruncated
		}
		a.add(f)
		switch f.Code {
		case journal.CodeBrokenLink, journal.CodeHashMismatch, journal.CodeDuplicate, journal.CodeGap, journal.CodeWrongJournal,
			journal.CodeNotCanonical, journal.CodeOversized:
			a.once(CodeRewritten, f)
		case journal.CodeHeadMismatch:
			a.headMismatch(f)
		case journal.CodeStorage:
			if a.skipped != "" {
				a.once(CodeTruncated, f)
			}
		case journal.CodeTornTail, verify.CodeMissing:
			a.once(CodeTruncated, f)
		}
	})
}

// headMismatch says what it means for the history that the head file disagrees
// with it. A head file that is damaged or absent says nothing about the records.
func (a *auditor) headMismatch(f journal.Finding) {
	var damage error
	if a.src != nil {
		damage = a.src.Damage()
	}
	switch {
	case a.skipped != "", errors.Is(damage, journal.ErrRolledBack):
		f.Seq = a.report.Events + 1
		a.once(CodeTruncated, f)
	case errors.Is(damage, journal.ErrRewritten), errors.Is(damage, journal.ErrForeign):
		a.once(CodeRewritten, f)
	}
}

// once says for the first of several findings what it means.
func (a *auditor) once(code string, f journal.Finding) {
	if slices.ContainsFunc(a.list, func(g journal.Finding) bool { return g.Code == code }) {
		return
	}
	first := Difference{Journal: a.report.Journal, Seq: f.Seq}
	if a.src != nil {
		first.Is = hashOf(a.src, f.Seq)
		if f.Code == journal.CodeBrokenLink && f.Seq > 1 {
			// What the link names is the hash that the record before had.
			if rec, err := a.src.Record(f.Seq); err == nil {
				first = Difference{Journal: first.Journal, Seq: f.Seq - 1, Was: rec.Prev.String(), Is: hashOf(a.src, f.Seq-1)}
			}
		}
	}
	a.report.First = &first
	if code == CodeRewritten {
		a.bad(code, first.Seq, "the records contradict each other from record %d on: they are not those that were written", first.Seq)
	} else {
		why := ""
		if a.skipped != "" {
			why = ": " + history.ErrLogSkipped.Error()
		}
		a.bad(code, first.Seq, "the records end before they should%s", why)
	}
}

// all is the history and those that it continues.
func (a *auditor) all() []*history.Source { return append([]*history.Source{a.src}, a.before...) }
