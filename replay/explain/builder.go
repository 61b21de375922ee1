package explain

import (
	"errors"
	"fmt"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// builder builds a report, record by record.
type builder struct {
	report *Report
	opt    Options
	epoch  *Epoch
	// base is the newest baseline, nil if none is known.
	base *machine.Baseline
	open *Reconstruction
	// due: a reconstruction must follow, also if a boot finds the baseline.
	due bool
	run *run
	// serial is the serial of the newest epoch that had one.
	serial   *int64
	software string
	// last is the record before, without its bytes. Seq is 0 if it could not be
	// read: nothing is then compared with it.
	last  record.Record
	order *replay.Order
}

// add adds the next record by its bytes.
func (b *builder) add(raw []byte) {
	rec, err := record.Decode(raw)
	switch {
	case err != nil:
		b.unreadable(b.order.Due(), b.order.Due(), err, false)
		return
	case rec.Journal != b.report.Journal:
		b.unreadable(b.order.Due(), b.order.Due(), fmt.Errorf("it names journal %s", rec.Journal), false)
		return
	case b.last.Seq != 0 && rec.Hash == b.last.Hash:
		b.flag(FlagChainBroken, Moment{rec.Seq, rec.Time}, "record %d occurs twice", rec.Seq)
		return // its event happened once
	}
	m := Moment{rec.Seq, rec.Time}
	if b.report.First.Seq == 0 {
		b.report.First, b.report.Node = m, rec.Node
	}
	b.report.Last = m
	b.inRun(rec)
	b.inEpoch(rec)
	b.follow(rec)
	b.epoch.Last = m
	e, err := replay.Event(rec)
	switch {
	case errors.Is(err, machine.ErrNewer):
		b.flag(FlagUnknownKind, m, "%s", rec.Type)
	case err != nil:
		b.unreadable(rec.Seq, rec.Seq, err, false)
	default:
		b.event(e)
	}
	rec.Raw, rec.Data = nil, nil
	b.last = rec
}

// follow compares rec with the record before: its place, its link and its time.
func (b *builder) follow(rec record.Record) {
	m := Moment{rec.Seq, rec.Time}
	last, due := b.last, b.order.Due()
	if last.Seq != 0 && rec.Time.Before(last.Time) {
		b.flag(FlagClockRegression, m, "from %s back to %s", last.Time.Format(timeForm), rec.Time.Format(timeForm))
	}
	switch {
	case !b.order.Take(rec.Seq):
		b.flag(FlagChainBroken, m, "record %d is in the place of record %d", rec.Seq, due)
		if rec.Seq > due {
			b.unreadable(due, rec.Seq-1, fmt.Errorf("record %d is in this place", rec.Seq), false)
		}
	case last.Seq == rec.Seq-1 && last.Seq != 0 && rec.Prev != last.Hash:
		b.flag(FlagChainBroken, m, "record %d does not link to record %d", rec.Seq, last.Seq)
	}
}

// inEpoch makes the epoch of rec the one in force. The event that begins it sets
// the reason later.
func (b *builder) inEpoch(rec record.Record) {
	if b.epoch != nil && b.epoch.Epoch == rec.Epoch {
		return
	}
	m := Moment{rec.Seq, rec.Time}
	first := b.epoch == nil
	b.epoch = &Epoch{Epoch: rec.Epoch, Why: WhyUnknown, Began: m, Last: m,
		Updates: []*Reconstruction{}, Failures: []*Failures{}, Events: []*Event{}, Flags: []*Flag{}}
	b.report.Epochs = append(b.report.Epochs, b.epoch)
	switch {
	case first && rec.Seq == 1:
		b.epoch.Why = WhyFirstRun
	case first:
		b.epoch.Why = WhyEarlier
		b.flag(FlagBeginsLate, m, "the first record here is %d", rec.Seq)
	}
	if b.base != nil {
		b.epoch.System = systemOf(b.base)
	}
}

func systemOf(b *machine.Baseline) *System {
	return &System{CompositeHash: b.CompositeHash, OSRelease: b.OSRelease, Kernel: b.UnameRelease}
}

// timeForm is the format of wall-clock times in details.
const timeForm = "2006-01-02T15:04:05Z"

// unreadable adds records that are missing or cannot be read. final: no record
// after them is read.
func (b *builder) unreadable(first, last uint64, err error, final bool) {
	gap := Unreadable{Seq: first, Last: last, Reason: err.Error(), Final: final}
	if n := len(b.report.Unreadable); n < maxUnreadable {
		b.report.Unreadable = append(b.report.Unreadable, gap)
	} else if final {
		b.report.Unreadable[n-1].Final = true
	}
	if b.epoch != nil {
		b.flag(FlagRecordUnreadable, Moment{gap.Seq, b.report.Last.Time}, "%s: %s", gap.Records(), err)
	}
	b.last = record.Record{}
	b.order.Skip(last)
}

// maxUnreadable bounds Report.Unreadable.
const maxUnreadable = 100

// flag adds a flag to the epoch in force, or counts one more if it has that code.
func (b *builder) flag(code string, at Moment, format string, args ...any) {
	if b.opt.Flagged != nil {
		b.opt.Flagged(code, at.Seq)
	}
	for _, f := range b.epoch.Flags {
		if f.Code == code {
			f.Count++
			f.Last = at
			return
		}
	}
	b.epoch.Flags = append(b.epoch.Flags, &Flag{Code: code, Severity: meanings()[code].severity, Count: 1,
		First: at, Last: at, Detail: fmt.Sprintf(format, args...)})
}

// note adds an event, or counts one more if the newest event is alike.
func (b *builder) note(kind string, at Moment, format string, args ...any) {
	ev := &Event{Type: kind, Detail: fmt.Sprintf(format, args...), Count: 1, First: at, Last: at}
	if n := len(b.epoch.Events); n > 0 && b.epoch.Events[n-1].alike(ev) {
		b.epoch.Events[n-1].Count++
		b.epoch.Events[n-1].Last = at
		return
	}
	b.epoch.keepEvent(ev)
}

// finish ends the newest run and adds an open reconstruction.
func (b *builder) finish() {
	b.endRun(true)
	if b.open != nil {
		b.open.spent(b.report.Last)
		b.epoch.keepUpdate(b.open)
		b.flag(FlagUpdateOpen, b.open.Opened, "since record %d, %d attempts", b.open.Opened.Seq, b.open.attempts())
	}
}
