package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/salvage"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/projections"
	"github.com/autonomyops/edged/replay"
)

// layout is the layout of a state root's journal.
var layout = journal.DefaultLayout()

// history is the journal of this run: a checked read-only view until the first
// append, a writer from then on, and the state after its records.
type history struct {
	view      *journal.View // nil if there is no journal yet, and after the first append
	writer    *journal.Writer
	action    journal.HeadAction
	state     machine.State
	tail      journal.TailUse // at the end of the run
	unsettled bool            // settling was due, and failed
}

// openHistory judges the journal. If it is damaged, and the config permits it,
// it is salvaged and judged again, once: a journal that one salvage does not
// repair is not repaired by another.
func (r *run) openHistory(context.Context) *Failure {
	f := r.judgeHistory()
	if f == nil || !r.maySalvage(f) {
		return f
	}
	return r.salvageHistory(f)
}

// salvageHistory replaces the damaged journal that f
// reports by a new one, and judges the new one.
func (r *run) salvageHistory(f *Failure) *Failure {
	r.salvaged = true
	if r.history != nil && r.history.view != nil {
		_ = r.history.view.Close() // read-only, and refused
	}
	r.history = nil
	if r.plan != nil {
		return r.rehearseSalvage()
	}
	if f := r.salvage(f); f != nil {
		return f
	}
	return r.judgeHistory()
}

// judgeHistory judges journal, head file and references before anything is
// opened for writing.
func (r *run) judgeHistory() *Failure {
	files, err := projections.Read(r.fs)
	if err != nil {
		return r.unusable(err, "precheck: projections unreadable", "check the disk and the kernel log; nothing was changed")
	}
	r.files = files
	refs := projections.References(files)
	found, err := journal.Inspect(r.fs, layout)
	if err != nil {
		return r.unusable(err, "precheck: journal unusable", "check the disk and the kernel log; nothing was changed")
	}
	if !found.Journal {
		return r.noJournal(found, refs)
	}
	view, err := journal.OpenView(r.fs, layout)
	if err != nil {
		return r.unusable(err, "precheck: journal unusable", salvageAdvice)
	}
	r.history = &history{view: view}
	state, start, err := replay.State(view, view.Tip().Seq)
	if err != nil {
		if errors.Is(err, machine.ErrNewer) {
			return r.unusable(err, "precheck: journal is newer than this binary", "boot the newer release again, or update edged; nothing was changed")
		}
		return r.unusable(err, "precheck: journal unusable", salvageAdvice)
	}
	for _, err := range start.Ignored {
		r.log.Warn("edge.journal.snapshot_ignored", slog.String("path", layout.Dir), slog.String("err", err.Error()),
			slog.String("next", "`edgectl journal verify --deep` judges the whole history; the next settling writes a new snapshot"))
	}
	r.history.state = state
	if pin := r.journalPin(); pin != "" && pin != view.ID() && !state.Salvage.Continues(pin) {
		return r.unusable(fmt.Errorf("the journal is %s, gate.journal_id pins %s", view.ID(), pin), "precheck: journal is not this node's",
			"put the right partition back, or correct gate.journal_id if the replacement was meant")
	}
	if r.node == "" {
		r.node = state.Node
	}
	// Before the head file is asked: another node's journal is no damage to this
	// one's, and no salvage continues it.
	if state.Seq > 0 && state.Node != r.node {
		return r.unusable(fmt.Errorf("the journal is of node %q, the config says %q", state.Node, r.node), "precheck: journal is of another node",
			"put the right partition back, or run `edgectl journal rename-node --reason TEXT` if the node was renamed")
	}
	if r.history.action, err = checkHead(view, projections.MustResolve(refs, state)); err != nil {
		return r.unusable(err, "precheck: journal unusable", salvageAdvice)
	}
	if r.history.action.BehindBase {
		r.log.Warn("edge.journal.head_put_back", slog.String("path", layout.Head),
			slog.String("next", "find out who put an older head file back: no crash does that"))
	}
	return nil
}

const salvageAdvice = "keep the disk as it is; `edgectl journal verify --deep` reports the damage, `edgectl journal salvage` is the way out"

// noJournal decides whether the absence of a journal is a first run. It is not,
// if anything on or off the partition refers to a journal.
func (r *run) noJournal(found journal.Presence, refs []projections.Ref) *Failure {
	missing := func(who string) *Failure {
		return r.unusable(&errs.Error{Kind: journal.ErrMissing, Path: layout.Dir, Detail: who + " refers to a journal"},
			"precheck: journal missing", salvageAdvice)
	}
	switch {
	case r.journalPin() != "":
		return missing("gate.journal_id")
	case found.Head:
		return missing(layout.Head)
	case len(refs) > 0:
		return missing(refs[0].Path)
	}
	remains, err := salvage.Leftovers(r.fs)
	if err != nil {
		return r.unusable(err, "precheck: journal unusable", "check the disk and the kernel log; nothing was changed")
	}
	if len(remains) > 0 {
		return missing(remains[0])
	}
	r.history = &history{state: machine.NewFold(machine.State{}).State()}
	return nil
}

// journalPin returns gate.journal_id, "" if it pins nothing.
func (r *run) journalPin() string {
	if r.cfg == nil {
		return ""
	}
	return r.cfg.Gate.JournalID
}

// unusable returns a failure of the journal step: exit 2, nothing overwritten.
func (r *run) unusable(err error, message, next string) *Failure {
	return &Failure{Exit: ExitStateRoot, Stage: "journal", Message: message,
		Path: pathOf(err, layout.Dir), Err: err, Next: nextOf(err, next)}
}

// checkHead judges the head file, and whether the journal holds every record
// that the projections refer to.
func checkHead(view *journal.View, refs []projections.Ref) (journal.HeadAction, error) {
	tip := view.Tip()
	checked := make([]journal.Ref, 0, len(refs))
	for _, ref := range refs {
		if ref.Journal == view.ID() && ref.Seq > tip.Seq {
			return journal.HeadAction{}, &errs.Error{Kind: journal.ErrRolledBack, Path: ref.Path, Seq: ref.Seq,
				Detail: fmt.Sprintf("it was made from record %d, the journal ends at %d", ref.Seq, tip.Seq), Next: salvageAdvice}
		}
		seq, text := ref.Record()
		hash, err := record.ParseHash(text)
		if err != nil {
			return journal.HeadAction{}, &errs.Error{Kind: journal.ErrRewritten, Path: ref.Path, Seq: ref.Seq,
				Detail: "it names no record by a hash", Next: salvageAdvice, Err: err}
		}
		checked = append(checked, journal.Ref{Path: ref.Path, Journal: ref.Journal, Seq: seq, Hash: hash})
	}
	return view.CheckHead(checked)
}
