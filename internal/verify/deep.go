package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// deep folds a whole history and judges it on the way.
type deep struct {
	src      *history.Source
	chain    bool // the chain holds: a record that cannot be read is news
	progress func(stage string, done, total uint64)
	fold     *machine.Fold
	keys     keyring
	last     *manifest.Manifest  // of the newest ManifestVerified, nil if it does not parse
	snaps    map[uint64][][]byte // by record
	findings []journal.Finding
}

func newDeep(src *history.Source, chain bool, progress func(string, uint64, uint64)) *deep {
	return &deep{src: src, chain: chain, progress: progress, fold: machine.NewFold(machine.State{}),
		keys: keyring{}, snaps: map[uint64][][]byte{}}
}

func (d *deep) found(sev journal.Severity, code string, seq uint64, format string, args ...any) {
	d.findings = append(d.findings, journal.Finding{Severity: sev, Code: code, Seq: seq, Detail: fmt.Sprintf(format, args...)})
}

func (d *deep) bad(code string, seq uint64, format string, args ...any) {
	d.found(journal.SeverityError, code, seq, format, args...)
}

// run judges record by record and the files last. The error is for what could
// not be done.
func (d *deep) run(ctx context.Context) error {
	if d.src.First() != 1 {
		d.findings = append(d.findings, stopped(journal.SeverityWarning, d.src.First(), errors.New("the export begins later than the history: the state before it is not known")))
		return nil
	}
	d.predecessors()
	if err := d.listSnapshots(); err != nil {
		return err
	}
	whole, err := d.records(ctx)
	if err != nil || !whole {
		return err
	}
	return d.files()
}

// predecessors compares what each salvage says of the journal before it with the
// records of that one, if they are in the state root.
func (d *deep) predecessors() {
	if d.src.Kind() != history.StateRoot {
		return
	}
	before, note := Predecessors(d.src)
	after := d.src
	for _, src := range before {
		for _, lower := range Floors(after, src) {
			d.bad(CodePredecessor, 1, "%s", lower)
		}
		after = src
	}
	for _, src := range before {
		_ = src.Close() // read-only
	}
	if note != "" {
		d.found(journal.SeverityWarning, CodePredecessorAbsent, 1, "%s", note)
	}
}

// progressEvery is how many records pass between two calls of progress.
const progressEvery = 4096

// records folds; whole is false where it had to stop.
func (d *deep) records(ctx context.Context) (whole bool, err error) {
	tip := d.src.Tip().Seq
	for rec, err := range d.src.Records(1, tip) {
		if err != nil {
			if d.chain {
				d.findings = append(d.findings, journal.FindingOf(err))
			} // otherwise the chain's own finding has said it
			return false, nil
		}
		if rec.Seq%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return false, fmt.Errorf("verify the journal: %w", err)
			}
			d.progress("replay", rec.Seq, tip)
		}
		if !d.record(rec) {
			return false, nil
		}
	}
	return true, nil
}

// errUnknownState is why nothing after a record that cannot be folded is judged.
var errUnknownState = errors.New("the state after it is not known")

// record folds one record, false where the state after it is not known.
func (d *deep) record(rec record.Record) bool {
	event, err := replay.Event(rec)
	switch {
	case errors.Is(err, machine.ErrNewer):
		// An error, although nothing is damaged: whoever can append one such
		// record would otherwise be judged no further, with exit status 0.
		d.findings = append(d.findings, stopped(journal.SeverityError, rec.Seq, fmt.Errorf("%w; judge it with the release that wrote it, or a later one", err)))
		return false
	case err != nil:
		d.bad(CodePayload, rec.Seq, "%v", err)
		d.findings = append(d.findings, stopped(journal.SeverityError, rec.Seq, errUnknownState))
		return false
	}
	before := d.fold.State()
	if err := d.fold.Apply(event); err != nil {
		d.bad(CodeTransition, rec.Seq, "%v", err)
		d.findings = append(d.findings, stopped(journal.SeverityError, rec.Seq, errUnknownState))
		return false
	}
	d.judge(event, before)
	for _, data := range d.snaps[rec.Seq] {
		d.snapshot(rec.Seq, data)
	}
	return true
}

// judge looks at what the machine takes on trust.
func (d *deep) judge(e machine.Event, before machine.State) {
	switch p := e.Payload.(type) {
	case machine.ManifestVerified:
		d.manifest(e.Seq, p, before)
	case machine.OpApplied:
		d.operation(e.Seq, p)
	case machine.KeyRotated:
		d.rotatedKey(e.Seq, p, before)
	case machine.KeyReplaced:
		d.found(journal.SeverityWarning, CodeKeyReplace, e.Seq, "the %s key was replaced without a statement of the old one, by %s: %s", p.Purpose, p.By, p.Reason)
	}
}

func (d *deep) listSnapshots() error {
	view := d.src.View()
	if view == nil {
		return nil
	}
	for snap, err := range view.Snapshots(math.MaxUint64) {
		if errors.Is(err, errs.ErrCorrupt) {
			if d.chain {
				d.findings = append(d.findings, journal.FindingOf(err))
			} // otherwise the storage's own finding has said it
			return nil
		}
		if err != nil {
			return err
		}
		d.snaps[snap.Seq] = append(d.snaps[snap.Seq], bytes.Clone(snap.Data))
	}
	return nil
}

// snapshot compares the one at seq with the state that a full replay reached.
// One that no reader would use cannot lie to any; it is only worth a word.
func (d *deep) snapshot(seq uint64, data []byte) {
	state, err := machine.DecodeState(data)
	if err != nil {
		d.found(journal.SeverityWarning, CodeUnusable, seq, "%v; readers pass it over", err)
		return
	}
	have, err := machine.EncodeState(state)
	want, err2 := machine.EncodeState(d.fold.State())
	if err != nil || err2 != nil || !bytes.Equal(have, want) {
		d.bad(CodeSnapshot, seq, "the snapshot of record %d is not the state that a full replay gives", seq)
	}
}
