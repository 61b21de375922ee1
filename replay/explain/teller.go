package explain

import (
	"errors"
	"fmt"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay"
)

// teller builds a report, record by record.
type teller struct {
	report *Report
	epoch  *Epoch
	// base is the newest baseline, nil where none is known.
	base *machine.Baseline
	open *Reconstruction
	// due: a reconstruction must follow, whatever a boot finds.
	due bool
	run *run
	// serial is that of the newest epoch that had one.
	serial   *int64
	software string
	// last is the record before, without its bytes; Seq is 0 where it could not
	// be read, so that nothing is compared with it.
	last  record.Record
	order *replay.Order
}

// tell takes the next record's bytes.
func (t *teller) tell(raw []byte) {
	rec, err := record.Decode(raw)
	switch {
	case err != nil:
		t.unreadable(t.order.Due(), t.order.Due(), err, false)
		return
	case rec.Journal != t.report.Journal:
		t.unreadable(t.order.Due(), t.order.Due(), fmt.Errorf("it names journal %s", rec.Journal), false)
		return
	case t.last.Seq != 0 && rec.Hash == t.last.Hash:
		t.flag(FlagChainBroken, Moment{rec.Seq, rec.Time}, "record %d stands there twice", rec.Seq)
		return // what it tells has happened once
	}
	m := Moment{rec.Seq, rec.Time}
	if t.report.First.Seq == 0 {
		t.report.First, t.report.Node = m, rec.Node
	}
	t.report.Last = m
	t.inRun(rec)
	t.inEpoch(rec)
	t.follow(rec)
	t.epoch.Last = m
	e, err := replay.Event(rec)
	switch {
	case errors.Is(err, machine.ErrNewer):
		t.flag(FlagUnknownKind, m, "%s", rec.Type)
	case err != nil:
		t.unreadable(rec.Seq, rec.Seq, err, false)
	default:
		t.happen(e)
	}
	rec.Raw, rec.Data = nil, nil
	t.last = rec
}

// follow looks at the place of rec behind the record before, at the link to
// it, and at the clock.
func (t *teller) follow(rec record.Record) {
	m := Moment{rec.Seq, rec.Time}
	last, due := t.last, t.order.Due()
	if last.Seq != 0 && rec.Time.Before(last.Time) {
		t.flag(FlagClockRegression, m, "from %s back to %s", last.Time.Format(timeForm), rec.Time.Format(timeForm))
	}
	switch {
	case !t.order.Take(rec.Seq):
		t.flag(FlagChainBroken, m, "record %d stands where record %d should", rec.Seq, due)
		if rec.Seq > due {
			t.unreadable(due, rec.Seq-1, fmt.Errorf("record %d stands in this place", rec.Seq), false)
		}
	case last.Seq == rec.Seq-1 && last.Seq != 0 && rec.Prev != last.Hash:
		t.flag(FlagChainBroken, m, "record %d does not link to record %d", rec.Seq, last.Seq)
	}
}

// inEpoch makes the epoch of rec the one in force. An event that begins an
// epoch gives its reason when it is told.
func (t *teller) inEpoch(rec record.Record) {
	if t.epoch != nil && t.epoch.Epoch == rec.Epoch {
		return
	}
	m := Moment{rec.Seq, rec.Time}
	first := t.epoch == nil
	t.epoch = &Epoch{Epoch: rec.Epoch, Why: WhyUnknown, Began: m, Last: m,
		Updates: []*Reconstruction{}, Failures: []*Failures{}, Events: []*Event{}, Flags: []*Flag{}}
	t.report.Epochs = append(t.report.Epochs, t.epoch)
	switch {
	case first && rec.Seq == 1:
		t.epoch.Why = WhyFirstRun
	case first:
		t.epoch.Why = WhyEarlier
		t.flag(FlagBeginsLate, m, "the first record here is %d", rec.Seq)
	}
	if t.base != nil {
		t.epoch.System = systemOf(t.base)
	}
}

func systemOf(b *machine.Baseline) *System {
	return &System{CompositeHash: b.CompositeHash, OSRelease: b.OSRelease, Kernel: b.UnameRelease}
}

// timeForm is how a detail writes a wall-clock time.
const timeForm = "2006-01-02T15:04:05Z"

// unreadable notes that records first to last cannot be told.
func (t *teller) unreadable(first, last uint64, err error, rest bool) {
	hole := Unreadable{Seq: first, Last: last, Reason: err.Error(), Rest: rest}
	if n := len(t.report.Unreadable); n < maxHoles {
		t.report.Unreadable = append(t.report.Unreadable, hole)
	} else if rest {
		t.report.Unreadable[n-1].Rest = true
	}
	if t.epoch != nil {
		t.flag(FlagRecordUnreadable, Moment{hole.Seq, t.report.Last.Time}, "%s: %s", hole.Records(), err)
	}
	t.last = record.Record{}
	t.order.Skip(last)
}

// maxHoles bounds what a history of rubbish makes a report hold.
const maxHoles = 100

// flag marks the epoch in force, once for each code.
func (t *teller) flag(code string, at Moment, format string, args ...any) {
	for _, f := range t.epoch.Flags {
		if f.Code == code {
			f.Count++
			f.Last = at
			return
		}
	}
	t.epoch.Flags = append(t.epoch.Flags, &Flag{Code: code, Severity: meanings()[code].severity, Count: 1,
		First: at, Last: at, Detail: fmt.Sprintf(format, args...)})
}

// note adds an event, or counts the newest one up where it is the same again.
func (t *teller) note(kind string, at Moment, format string, args ...any) {
	ev := &Event{Type: kind, Detail: fmt.Sprintf(format, args...), Count: 1, First: at, Last: at}
	if n := len(t.epoch.Events); n > 0 && t.epoch.Events[n-1].alike(ev) {
		t.epoch.Events[n-1].Count++
		t.epoch.Events[n-1].Last = at
		return
	}
	t.epoch.keepEvent(ev)
}

// finish ends the story where the records end.
func (t *teller) finish() {
	t.endRun(true)
	if t.open != nil {
		t.open.spent(t.report.Last)
		t.epoch.keepUpdate(t.open)
		t.flag(FlagUpdateOpen, t.open.Opened, "since record %d, %d attempts", t.open.Opened.Seq, t.open.attempts())
	}
}
