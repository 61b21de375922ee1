package gate

import (
	"errors"
	"log/slog"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// append journals p and moves the state by it. The record is acknowledged when
// append returns; nothing that depends on it has happened before.
func (r *run) append(p machine.Payload) (machine.Event, *Failure) {
	if f := r.openWriter(); f != nil {
		return machine.Event{}, f
	}
	return r.appendEvent(p)
}

func (r *run) appendEvent(p machine.Payload) (machine.Event, *Failure) {
	entry, event, err := r.entry(p)
	if err != nil {
		return event, r.unusable(err, "precheck: event cannot be journaled", "this is a defect of edged; report it with the journal")
	}
	if f := r.layOut(p); f != nil {
		return event, f
	}
	if r.plan != nil {
		return event, r.plan.append(r, event)
	}
	rec, err := r.write(entry)
	if errors.Is(err, journal.ErrNoSpace) {
		rec, err = r.writeWithBallast(entry, err)
	}
	if err != nil {
		return event, r.unusable(err, "precheck: journal cannot be written", "check free space, the disk and the kernel log")
	}
	event, err = replay.Event(rec)
	if err == nil {
		r.history.state, err = machine.Apply(r.history.state, event)
	}
	if err != nil {
		return event, r.unusable(err, "precheck: journaled event does not read back", "this is a defect of edged; report it with the journal")
	}
	return event, nil
}

// entry makes the record's envelope and proves, before anything is written,
// that the machine takes the event in this state.
func (r *run) entry(p machine.Payload) (journal.Entry, machine.Event, error) {
	data, err := machine.Encode(p)
	if err != nil {
		return journal.Entry{}, machine.Event{}, err
	}
	id, err := r.host.NewID()
	if err != nil {
		return journal.Entry{}, machine.Event{}, err
	}
	uptime, err := r.host.UptimeMS()
	if err != nil {
		return journal.Entry{}, machine.Event{}, err
	}
	s := r.history.state
	entry := journal.Entry{
		ID: id, Type: string(p.Kind()), Crit: machine.Critical(p.Kind()), Time: r.host.Now().UTC(),
		BootID: r.bootID, UptimeMS: uptime, Run: r.id, Node: r.node,
		Epoch: epochAfter(s, p), Data: data,
	}
	event := machine.Event{Payload: p, Meta: machine.Meta{
		Journal: s.Journal, Seq: s.Seq + 1, Prev: s.Hash, ID: id.String(), Kind: p.Kind(), Crit: entry.Crit,
		Time: entry.Time, BootID: r.bootID, UptimeMS: uptime, Run: r.id, Node: entry.Node, Epoch: entry.Epoch,
	}}
	_, err = machine.Apply(s, event)
	return entry, event, err
}

// epochAfter is the boot epoch in force after p.
func epochAfter(s machine.State, p machine.Payload) uint64 {
	switch p := p.(type) {
	case machine.EpochRotated:
		return p.BootEpoch
	case machine.LegacyStateAdopted:
		return p.BootEpoch
	case machine.JournalSalvaged:
		return p.Epoch
	case machine.UpdateDetected:
		return max(s.Epoch, p.EpochFloor)
	}
	return s.Epoch
}

// openWriter makes the checked view writable at the run's first append. A
// damaged head file is written again then, and that is the first event. A dry
// run keeps its view, and plans that event.
func (r *run) openWriter() *Failure {
	h := r.history
	if h.view == nil {
		return nil
	}
	view, action := h.view, h.action
	h.action = journal.HeadAction{}
	if r.plan == nil {
		h.view = nil // taken over, also on an error
		w, err := journal.OpenWriter(r.fs, layout, view, action)
		h.writer = w
		if errors.Is(err, journal.ErrNoSpace) && r.releaseBallast(err) {
			// After a crash the log has to be moved into tables first.
			h.writer = nil
			_, err = r.reopen(journal.Entry{})
		}
		if err != nil {
			h.writer = nil
			return r.unusable(err, "precheck: journal cannot be written", "check free space, the disk and the kernel log")
		}
	}
	if action.Step != journal.HeadRewrite {
		return nil
	}
	r.log.Warn("edge.journal.head_rebuilt", slog.String("path", layout.Head), slog.String("found", action.Found))
	_, f := r.appendEvent(machine.HeadRebuilt{V: 1, Found: action.Found, Seq: h.state.Seq})
	return f
}

// write appends to the journal, creating it with its first record.
func (r *run) write(e journal.Entry) (journal.Record, error) {
	if w := r.history.writer; w != nil {
		return w.Append(e)
	}
	if err := durable.MkdirAll(r.fs, stateroot.Bootstrap, 0o750); err != nil {
		return journal.Record{}, err
	}
	w, rec, err := journal.Create(r.fs, layout, e, journal.CreateOptions{})
	if err != nil {
		return journal.Record{}, err
	}
	r.history.writer = w
	return rec, nil
}

// writeWithBallast releases the ballast and tries once more: on a full disk
// the daemon that frees space must be able to start.
func (r *run) writeWithBallast(e journal.Entry, cause error) (journal.Record, error) {
	if !r.releaseBallast(cause) {
		return journal.Record{}, cause
	}
	rec, err := r.reopen(e)
	if err != nil || rec.Seq != 0 {
		return rec, err
	}
	return r.write(e)
}

// releaseBallast gives the reserve back to a full disk, once: there is one.
func (r *run) releaseBallast(cause error) bool {
	released, err := stateroot.ReleaseBallast(r.fs)
	if err != nil || !released {
		return false
	}
	r.log.Warn("edge.disk.full", slog.String("path", r.rootPath), slog.String("err", cause.Error()),
		slog.String("next", "free space on the state root; its ballast was released to journal this boot"))
	return true
}

// noSpace reports whether err is a full disk, told by the journal or by a file.
func noSpace(err error) bool {
	return errors.Is(err, journal.ErrNoSpace) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// reopen leaves the poisoned writer and opens the journal as a boot would. If
// e had reached the journal before the failure, its record is the answer.
func (r *run) reopen(e journal.Entry) (journal.Record, error) {
	h := r.history
	if h.writer != nil {
		_ = h.writer.Close() // poisoned: it has said what is wrong already
		h.writer = nil
	}
	found, err := journal.Inspect(r.fs, layout)
	if err != nil || !found.Journal {
		return journal.Record{}, err
	}
	view, err := journal.OpenView(r.fs, layout)
	if err != nil {
		return journal.Record{}, err
	}
	action, err := view.CheckHead(nil)
	if err != nil {
		return journal.Record{}, errors.Join(err, view.Close())
	}
	rec, err := view.Record(view.Tip().Seq)
	if err != nil {
		return journal.Record{}, errors.Join(err, view.Close())
	}
	if h.writer, err = journal.OpenWriter(r.fs, layout, view, action); err != nil {
		return journal.Record{}, err
	}
	if rec.ID == e.ID.String() {
		return rec, nil
	}
	return journal.Record{}, nil
}
