package gate

import (
	"errors"
	"log/slog"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// append journals p and applies it to the state. The record is acknowledged when
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
		if f := r.rehearseAppend(entry); f != nil {
			return event, f
		}
		return event, r.plan.append(r, event)
	}
	rec, err := r.write(entry)
	if errors.Is(err, journal.ErrTailFull) {
		// The middle of a run: the record does not fit until the tail has settled.
		if f := r.settle(); f != nil {
			return event, f
		}
		rec, err = r.write(entry)
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

// entry returns the record's envelope and checks, before anything is written,
// that the machine accepts the event in this state.
func (r *run) entry(p machine.Payload) (record.Entry, machine.Event, error) {
	data, err := machine.Encode(p)
	if err != nil {
		return record.Entry{}, machine.Event{}, err
	}
	id, err := r.host.NewID()
	if err != nil {
		return record.Entry{}, machine.Event{}, err
	}
	uptime, err := r.host.UptimeMS()
	if err != nil {
		return record.Entry{}, machine.Event{}, err
	}
	s := r.history.state
	entry := record.Entry{
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

// epochAfter returns the boot epoch in force after p.
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
		h.view = nil // OpenWriter owns it, even after an error
		w, err := journal.OpenWriter(view, action, r.bootID)
		if err != nil {
			return r.unusable(err, "precheck: journal cannot be written", "check free space, the disk and the kernel log")
		}
		h.writer = w
		if w.Fresh() {
			// A settling was cut short before its snapshot was vouched for.
			if f := r.vouch(); f != nil {
				return f
			}
		}
	}
	if action.Rebuilt == "" {
		return nil
	}
	r.log.Warn("edge.journal.head_rebuilt", slog.String("path", layout.Head), slog.String("found", action.Rebuilt))
	_, f := r.appendEvent(machine.HeadRebuilt{V: 1, Found: action.Rebuilt, Seq: h.state.Seq})
	return f
}

// write appends to the journal, creating it with its first record.
func (r *run) write(e record.Entry) (record.Record, error) {
	if w := r.history.writer; w != nil {
		return w.Append(e)
	}
	if err := durable.MkdirAll(r.fs, stateroot.Bootstrap, 0o750); err != nil {
		return record.Record{}, err
	}
	w, rec, err := journal.Create(r.fs, layout, e, journal.CreateOptions{})
	if err != nil {
		return record.Record{}, err
	}
	r.history.writer = w
	return rec, nil
}
