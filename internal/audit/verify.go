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

// VerifyOptions are the options of Verify.
type VerifyOptions struct {
	// Since is the path of an older checkpoint, bundle, export or journal that
	// the auditor holds; "" for none.
	Since string
	// Key holds the auditor's checkpoint keys, one a line, oldest first, in the
	// form of signed notes; "" uses the key in the bundle. The last key, or a
	// successor of it by rotation, must have signed the bundle. The others are
	// trusted only for Since: a key may have been replaced because it was
	// stolen, and the thief can sign a history without the replacement.
	Key string
	// Witnesses are keys of witnesses that must have signed the bundle's checkpoint
	// or Since, in the form of signed notes.
	Witnesses []string
	// Policy is what the checkpoint or Since must satisfy, as a C2SP tlog-policy;
	// nil for none.
	Policy []byte
	// LogSkipped is the mount option that kept the log of the filesystem from
	// being replayed, from history.LogSkipped; "" if there is none.
	LogSkipped string
	// Progress is called with the number of records that a stage has done, and
	// their total.
	Progress func(stage string, done, total uint64)
}

// auditor verifies one history.
type auditor struct {
	report   Report
	src      *history.Source
	before   []*history.Source       // the journals that it continues, newest first
	given    int                     // number of keys that the auditor gave
	keys     []transparency.Verifier // all trusted keys
	signers  []transparency.Verifier // those that may have signed the bundle
	inForce  []keyInForce            // checkpoint keys that the records name, in order
	vouched  bool                    // a trusted key signed the older checkpoint or bundle, and it covers all records
	skipped  string                  // VerifyOptions.LogSkipped
	progress func(stage string, done, total uint64)
	sound    bool // no record is bad
	newer    error
	witnesses
	*findings
}

// Verify verifies the history at path: a bundle, an export or a journal. Faults
// are findings of the report. An error means that it could not be verified: it
// cannot be read, is no history, is a bundle that is cut short, a newer version
// wrote it, or Since is no basis for a comparison (ErrSince).
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
	var err error
	if a.witnesses, err = newWitnesses(opt.Witnesses, opt.Policy); err != nil {
		return Report{}, err
	}
	if len(opt.Witnesses) > 0 {
		a.report.Witnesses = []Witnessed{}
	}
	_, kind, err := history.Detect(path)
	if err != nil {
		return Report{}, err
	}
	if kind == history.Bundle {
		return a.bundle(ctx, path, opt)
	}
	return a.unbundled(ctx, path, opt)
}

// bundle verifies a bundle.
func (a *auditor) bundle(ctx context.Context, path string, opt VerifyOptions) (Report, error) {
	p, err := unpack(ctx, path, a.findings)
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
	if p.damage != nil && a.sound { // the damage is not in a line, which records checked
		a.damaged([]journal.Finding{journal.FindingOf(p.damage)})
	}
	if a.src.Tip().Seq == 0 {
		return a.done() // there is no record to compare the other files with
	}
	if err := a.predecessors(ctx, p); err != nil {
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

// unbundled verifies an export or a journal, which nobody has signed.
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
	a.salvages(before)
	if note != "" && src.Kind() != history.StateRoot { // records has reported it for a state root
		a.warn(CodePredecessorAbsent, 1, "%s", note)
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

// unsigned reports that nobody vouches for an export or a journal. With a key it
// is an error, because an attacker could pass an unsigned export instead of a
// bundle; it is not if the older checkpoint or bundle is signed and covers all
// records. A journal on disk is not passed by others: the key may be for Since.
func (a *auditor) unsigned(opt VerifyOptions) {
	const next = "a bundle that edgectl audit bundle makes on the node has one"
	if a.given > 0 && !a.vouched && (a.src.Kind() == history.Export || opt.Since == "") {
		a.bad(CodeUnsigned, 0, "there is no checkpoint: no given key has signed all these records; %s", next)
		return
	}
	a.warn(CodeUnsigned, 0, "there is no checkpoint: nobody vouches for these records; %s", next)
}

// done returns the report with its verdict, or an error if a newer release wrote
// a record: this release cannot read it, and must neither accuse an honest node
// nor ignore the record.
func (a *auditor) done() (Report, error) {
	if a.newer != nil {
		return Report{}, a.newer
	}
	a.unwitnessed()
	a.report.Findings = a.listed()
	a.report.conclude()
	return a.report, nil
}

// takeOver calls take with each finding of a verification. It sets newer if a
// newer release wrote a record. CodeStopped also follows a bad payload or event,
// which no newer release wrote.
func (a *auditor) takeOver(list []journal.Finding, take func(journal.Finding)) {
	stopped := map[uint64]bool{}
	for _, f := range list {
		if f.Code == verify.CodePayload || f.Code == verify.CodeTransition {
			stopped[f.Seq] = true
		}
	}
	for _, f := range list {
		if f.Code == journal.CodeNewer || f.Code == verify.CodeStopped && f.Severity == journal.SeverityError && !stopped[f.Seq] {
			a.newer = &errs.Error{Kind: errs.ErrNewer, Seq: f.Seq, Detail: "verify a history", Next: "verify it with the release that wrote it, or a later one"}
		}
		take(f)
	}
}

// records verifies the chain, and the records by a replay.
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

// damaged adds the findings of the verification, and reports whether they mean
// that the history was rewritten or truncated.
func (a *auditor) damaged(findings []journal.Finding) {
	first := uint64(1)
	if a.src != nil && a.src.Tip().Seq > 0 {
		first = a.src.First()
	}
	a.takeOver(findings, func(f journal.Finding) {
		if f.Code == journal.CodeGap && f.Seq == 1 && first > 1 {
			f.Detail = fmt.Sprintf("records 1 to %d are missing: the export begins later", first-1)
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

// headMismatch reports whether a head file that disagrees means that the history
// was rewritten or truncated. A damaged or absent head file means neither.
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

// once reports code for finding f, unless it was reported before.
func (a *auditor) once(code string, f journal.Finding) {
	if slices.ContainsFunc(a.list, func(g journal.Finding) bool { return g.Code == code }) {
		return
	}
	first := Difference{Journal: a.report.Journal, Seq: f.Seq}
	if a.src != nil {
		first.Is = hashOf(a.src, f.Seq)
		if f.Code == journal.CodeBrokenLink && f.Seq > 1 {
			// The link is the hash that the record before had.
			if rec, err := a.src.Record(f.Seq); err == nil {
				first = Difference{Journal: first.Journal, Seq: f.Seq - 1, Was: rec.Prev.String(), Is: hashOf(a.src, f.Seq-1)}
			}
		}
	}
	a.report.First = &first
	if code == CodeRewritten {
		a.bad(code, first.Seq, "the records from record %d on are not those that were written", first.Seq)
	} else {
		why := ""
		if a.skipped != "" {
			why = ": " + history.ErrLogSkipped.Error()
		}
		a.bad(code, first.Seq, "the records end before they should%s", why)
	}
}

// all returns the history and those that it continues, newest first.
func (a *auditor) all() []*history.Source { return append([]*history.Source{a.src}, a.before...) }
