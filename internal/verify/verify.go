// Package verify verifies a history: the form, hash, place and link of every
// record (package journal does that) and, with Deep, whether a gate can have
// written the records, whether projections and snapshots agree with them, and
// whether the manifest of every epoch was signed by the right key.
package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
)

// Codes of the findings of this package, in addition to those of package
// journal. They are part of the JSON contract: none is renamed.
const (
	CodeTransition = "transition"         // no gate writes this event in this state
	CodePayload    = "payload"            // the data does not have the form of its kind
	CodeProjection = "projection"         // a file differs from that of a full replay
	CodeReference  = "reference"          // a file names a record that is not in the journal
	CodeSnapshot   = "snapshot"           // a snapshot differs from that of a full replay
	CodeUnusable   = "snapshot_unusable"  // warning: readers skip a snapshot
	CodeManifest   = "manifest"           // a journaled manifest is not valid
	CodeSignature  = "manifest_signature" // its signature does not verify
	CodeKey        = "key_continuity"     // no statement leads from one key to the next
	CodeOperation  = "operation"          // an applied operation differs from the manifest
	CodeStopped    = "deep_stopped"       // the records from here on were not verified
	CodeKeyReplace = "key_replaced"       // warning: a key was replaced without a statement of the old one
	CodeMissing    = "journal_missing"    // files refer to a journal that does not exist
	CodeLogSkipped = "log_not_replayed"   // warning: the filesystem is mounted without its log

	CodePredecessor       = "predecessor"        // the kept records of the predecessor contradict the salvage
	CodePredecessorAbsent = "predecessor_absent" // warning: those records are missing
)

// Report is the result, as it is printed.
type Report struct {
	OK       bool              `json:"ok"`
	Journal  string            `json:"journal"`
	Events   uint64            `json:"events"`
	Head     Head              `json:"head"`
	Findings []journal.Finding `json:"findings"`
	// Tail describes the part of a journal on disk that has not settled; nil
	// for an export or a bundle.
	Tail *journal.TailUse `json:"tail,omitempty"`
}

// Head is the newest record that was read; seq 0 if there is none.
type Head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Options of a verification.
type Options struct {
	Deep bool
	// Storage also checks the checksum of every block of the tables. Deep
	// includes it.
	Storage bool
	// LogSkipped is the mount option that kept the log of the filesystem from
	// being replayed, from history.LogSkipped; "" if there is none.
	LogSkipped string
	// Progress is called with the number of records that a stage has done, and
	// their total; 0 if it is not known.
	Progress func(stage string, done, total uint64)
}

// Path verifies the history at path. Faults are findings of the report. An error
// means that it could not be verified: there is no journal, it cannot be read, or
// a newer version wrote it.
func Path(ctx context.Context, path string, opt Options) (Report, error) {
	if opt.Progress == nil {
		opt.Progress = func(string, uint64, uint64) {}
	}
	_, kind, err := history.Detect(path)
	if err != nil {
		return Report{}, err
	}
	rep, err := shallow(ctx, path, kind, opt)
	if err == nil && opt.Deep && rep.Events > 0 {
		rep, err = deepen(ctx, path, rep, opt)
	}
	return warned(rep, opt), err
}

// warned adds the warning about the mount.
func warned(rep Report, opt Options) Report {
	if opt.LogSkipped != "" {
		rep.Findings = slices.Insert(rep.Findings, 0, journal.Finding{Severity: journal.SeverityWarning, Code: CodeLogSkipped, Detail: history.WarnLogSkipped(opt.LogSkipped)})
	}
	return rep
}

// Source verifies an open history, as Path does.
func Source(ctx context.Context, src *history.Source, opt Options) (Report, error) {
	if opt.Progress == nil {
		opt.Progress = func(string, uint64, uint64) {}
	}
	rep, err := verify(ctx, src, opt)
	if err == nil && opt.Deep && rep.Events > 0 {
		rep, err = deepenSource(ctx, src, rep, opt)
	}
	return warned(rep, opt), err
}

func shallow(ctx context.Context, path string, kind history.Kind, opt Options) (Report, error) {
	if kind == history.Export {
		f, err := history.OpenFile(path)
		if err != nil {
			return Report{}, err
		}
		defer f.Close() //nolint:errcheck // read-only
		return verifyRecords(ctx, journal.NewStream(f), 0, opt)
	}
	src, err := history.Open(path)
	if err != nil {
		return unopened(path, kind, history.NameDamage(err, path, opt.LogSkipped))
	}
	defer src.Close() //nolint:errcheck // read-only
	return verify(ctx, src, opt)
}

// verify checks the chain of an open history. Of an export or a bundle it checks
// each line for itself.
func verify(ctx context.Context, src *history.Source, opt Options) (Report, error) {
	if r := src.Lines(); r != nil {
		return verifyRecords(ctx, journal.NewStream(r), src.Tip().Seq, opt)
	}
	rep, err := verifyRecords(ctx, src.View().Source(), src.Tip().Seq, opt)
	if err != nil {
		return rep, err
	}
	use := src.View().Tail()
	rep.Tail = &use
	damage := src.Damage()
	if named := history.NameDamage(damage, src.Path(), opt.LogSkipped); errors.Is(named, history.ErrLogSkipped) {
		rep.Findings = slices.DeleteFunc(rep.Findings, func(f journal.Finding) bool { return f.Code == journal.CodeHeadMismatch || f.Detail == damage.Error() })
		rep.Findings = append(rep.Findings, journal.FindingOf(named))
	}
	return rep, nil
}

func verifyRecords(ctx context.Context, src journal.RecordSource, total uint64, opt Options) (Report, error) {
	r, err := journal.Verify(ctx, src, journal.VerifyOptions{
		Known:    func(k string) bool { return machine.Known(machine.Kind(k)) },
		Progress: func(n uint64) { opt.Progress("verify", n, total) },
		Storage:  opt.Deep || opt.Storage,
	})
	if err != nil {
		return Report{}, err
	}
	return report(r), nil
}

func report(r journal.Report) Report {
	out := Report{OK: r.OK, Journal: r.Journal, Events: r.Events, Head: Head{Seq: r.Head.Seq}, Findings: r.Findings}
	if r.Head.Seq > 0 {
		out.Head.Hash = r.Head.Hash.String()
	}
	if out.Findings == nil {
		out.Findings = []journal.Finding{} // an empty list in JSON, not null
	}
	return out
}

// unopened returns a report about a damaged journal, or the error if the journal
// cannot be verified.
func unopened(path string, kind history.Kind, err error) (Report, error) {
	f := journal.FindingOf(err)
	switch {
	case errors.Is(err, errs.ErrNewer), errors.Is(err, errs.ErrIO):
		return Report{}, err
	case errors.Is(err, journal.ErrMissing):
		f.Code = CodeMissing
	case errors.Is(err, errs.ErrNotFound):
		ref, bad := referred(path, kind)
		if !bad {
			return Report{}, err
		}
		f.Code = CodeMissing
		f.Detail = fmt.Sprintf("%s names record %d of journal %s, but there is no journal", ref.Path, ref.Seq, ref.Journal)
	default:
		if !history.IsDamage(err) {
			return Report{}, err
		}
	}
	return Report{Findings: []journal.Finding{f}}, nil
}

// referred returns a reference of a projection to the missing journal.
func referred(path string, kind history.Kind) (projections.Ref, bool) {
	if kind != history.StateRoot {
		return projections.Ref{}, false
	}
	root, err := history.OpenTree(path)
	if err != nil {
		return projections.Ref{}, false
	}
	defer root.Close() //nolint:errcheck // read-only
	files, err := projections.Read(root)
	if err != nil {
		return projections.Ref{}, false
	}
	refs := projections.References(files)
	if len(refs) == 0 {
		return projections.Ref{}, false
	}
	return refs[0], true
}

// deepen adds the findings of a deep verification.
func deepen(ctx context.Context, path string, rep Report, opt Options) (Report, error) {
	src, err := history.Open(path)
	if err != nil {
		if rep.OK {
			return Report{}, err
		}
		rep.Findings = append(rep.Findings, stopped(journal.SeverityWarning, 1, err))
		return rep, nil
	}
	defer src.Close() //nolint:errcheck // read-only
	return deepenSource(ctx, src, rep, opt)
}

func deepenSource(ctx context.Context, src *history.Source, rep Report, opt Options) (Report, error) {
	d := newDeep(src, rep.OK, opt.Progress)
	if err := d.run(ctx); err != nil {
		return Report{}, err
	}
	rep.Findings = append(rep.Findings, d.Findings...)
	slices.SortStableFunc(rep.Findings, func(a, b journal.Finding) int {
		switch {
		case a.Seq < b.Seq:
			return -1
		case a.Seq > b.Seq:
			return 1
		}
		return 0
	})
	for _, f := range d.Findings {
		rep.OK = rep.OK && f.Severity != journal.SeverityError
	}
	return rep, nil
}

func stopped(severity journal.Severity, seq uint64, err error) journal.Finding {
	return journal.Finding{Severity: severity, Code: CodeStopped, Seq: seq,
		Detail: "not verified from here on: " + err.Error()}
}
