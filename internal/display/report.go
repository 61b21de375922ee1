package display

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/autonomyops/edged/replay/explain"
)

// Report writes a report to w like an incident report: the flags first, then the
// epochs. The error is that of w.
func Report(w io.Writer, rep *explain.Report) error {
	r := &rows{names: 11}
	r.head(rep)
	r.flags(rep)
	for _, e := range rep.Epochs {
		r.b.WriteByte('\n')
		r.explained(e)
		if _, err := io.WriteString(w, r.b.String()); err != nil {
			return err
		}
		r.b.Reset()
	}
	_, err := io.WriteString(w, r.b.String())
	return err
}

func (r *rows) head(rep *explain.Report) {
	r.row("node", "%s", rep.Node)
	r.row("journal", "%s", rep.Journal)
	if rep.First.Seq == 0 {
		r.row("records", "none that can be read")
	} else {
		r.row("records", "%d to %d, %s to %s", rep.First.Seq, rep.Last.Seq, moment(rep.First.Time), moment(rep.Last.Time))
		r.row("boots", "%d", rep.Boots)
	}
	for _, u := range rep.Unreadable {
		final := ""
		if u.Final {
			final = "; no record after it was read"
		}
		r.row("UNREADABLE", "%s: %s%s", u.Records(), u.Reason, final)
	}
	r.b.WriteByte('\n')
}

// EpochRows returns what Report writes below the heading of an epoch.
func EpochRows(e *explain.Epoch) []Row {
	var r rows
	r.epochRows(e)
	return r.list
}

// explained adds one epoch.
func (r *rows) explained(e *explain.Epoch) {
	for _, line := range fold(Clean(fmt.Sprintf("EPOCH %d: %s", e.Epoch, Why(e))), Width) {
		r.line(line)
	}
	r.epochRows(e)
}

func (r *rows) epochRows(e *explain.Epoch) {
	r.row("began", "%s, record %d", moment(e.Began.Time), e.Began.Seq)
	if rec := e.Reconstruction; rec != nil {
		r.reconstruction(rec)
	}
	if s := e.System; s != nil {
		r.row("system", "%s", cmp.Or(System(s.OSRelease), "not named"))
		r.row("kernel", "%s", s.Kernel)
	} else {
		r.row("system", "no baseline")
	}
	if b := e.CleanBoots; b.Count == 1 {
		r.row("clean boots", "1, %s (record %d)", moment(b.First.Time), b.First.Seq)
	} else if b.Count > 1 {
		r.row("clean boots", "%d, %s to %s (records %d to %d)", b.Count, moment(b.First.Time), moment(b.Last.Time), b.First.Seq, b.Last.Seq)
	} else {
		r.row("clean boots", "none")
	}
	for _, ev := range e.Events {
		r.row("event", "%s, record %d: %s%s", moment(ev.First.Time), ev.First.Seq, ev.Detail, again(ev.Count, ev.Last))
	}
	r.omitted("events", e.EventsOmitted)
	for _, f := range e.Failures {
		r.row("failure", "%s, record %d: exit %d at %s: %s (%s)%s", moment(f.First.Time), f.First.Seq,
			f.ExitCode, f.Stage, Cause(f.Reason), f.Path, again(f.Count, f.Last))
	}
	r.omitted("failures", e.FailuresOmitted)
	for _, u := range e.Updates {
		r.row(updateName(u.Result), "%s", causesOf(u.Causes))
		r.reconstruction(u)
	}
	r.omitted("updates", e.UpdatesOmitted)
	for _, f := range e.Flags {
		r.row("! flag", "%s%s: %s", f.Code, times(f.Count), f.Detail)
	}
}

func updateName(result explain.Result) string {
	if result == explain.Open {
		return "OPEN"
	}
	return string(result)
}

// omitted adds the number of entries that are not listed.
func (r *rows) omitted(name string, count uint64) {
	if count > 0 {
		r.row(name, "%d more between the first and the newest of these", count)
	}
}

func again(count uint64, last explain.Moment) string {
	if count < 2 {
		return ""
	}
	return fmt.Sprintf("; %d times, the last %s, record %d", count, moment(last.Time), last.Seq)
}

func times(count uint64) string {
	if count < 2 {
		return ""
	}
	return fmt.Sprintf(" x %d", count)
}

// flags adds the flags of all epochs, each code once with its meaning.
func (r *rows) flags(rep *explain.Report) {
	r.line("FLAGS")
	sums := rep.FlagSums()
	if len(sums) == 0 {
		r.line("none: every boot was clean or as requested")
		return
	}
	for _, s := range sums {
		r.row(string(s.Severity), "%s%s, first at record %d: %s", s.Code, times(s.Count), s.First.Seq, s.Meaning)
	}
}

// lasted returns milliseconds in a suitable unit.
func lasted(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	switch {
	case d < 0:
		return "unknown (the wall clock went back)"
	case d < time.Minute:
		return d.String()
	case d < 48*time.Hour:
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%d days", int64(d/(24*time.Hour)))
}
