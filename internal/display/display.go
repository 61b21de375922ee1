// Package display renders records, states and reports as text for a terminal.
//
// An attacker may have written a record. Every text that this package returns is
// therefore printable ASCII: no history can control a terminal, and every terminal
// can show it.
package display

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// Width is the largest width of a line, in columns.
const Width = 80

// TimeForm is the format of a wall-clock time: UTC, to the second.
const TimeForm = "2006-01-02T15:04:05Z"

// Lines formats records for a terminal, or one a line.
type Lines struct {
	seq     int // columns of the largest sequence number
	columns int // of the terminal; 0 for one line a record of any length
}

// NewLines returns the Lines of a history that ends at record tip, for a terminal
// of so many columns; 0 if there is no terminal.
func NewLines(tip uint64, columns int) Lines {
	return Lines{seq: len(fmt.Sprint(tip)), columns: columns}
}

// Record returns the lines of a record, without the end of the last one: seq,
// time, epoch, kind, what happened, and what to do next if it failed.
func (l Lines) Record(r record.Record) string {
	text, next := payload(r)
	return l.lines(r.Seq, fmt.Sprintf("%s  e%-2d %-19s  %s", r.Time.UTC().Format(TimeForm), r.Epoch, Clean(r.Type), text), next)
}

// Unreadable returns the lines for bytes that are not a record.
func (l Lines) Unreadable(seq uint64, err error) string {
	return l.lines(seq, fmt.Sprintf("%-*s  unreadable: %s", len(TimeForm), "-", Clean(err.Error())), "")
}

func (l Lines) lines(seq uint64, text, next string) string {
	text = strings.TrimRight(fmt.Sprintf("%*d  %s", l.seq, seq, text), " ")
	if next != "" {
		next = "next: " + next
	}
	if l.columns == 0 {
		if next != "" {
			text += "; " + next
		}
		return text
	}
	// Further lines begin below the epoch, or below the time if the terminal is
	// narrow.
	indent := l.seq + len("  ") + len(TimeForm) + len("  ")
	if l.columns < 2*indent {
		indent = l.seq + len("  ")
	}
	width := max(l.columns, 2*indent)
	first, remainder := split(text, width)
	out := []string{first}
	for _, more := range []string{remainder, next} {
		if more != "" {
			out = append(out, fold(more, width-indent)...)
		}
	}
	return strings.Join(out, "\n"+strings.Repeat(" ", indent))
}

// Payload returns the meaning of a record's data in a few words; "" if the kind is
// enough.
func Payload(r record.Record) string {
	text, _ := payload(r)
	return text
}

// payload also returns the instruction after a failure.
func payload(r record.Record) (text, next string) {
	p, err := machine.Decode(machine.Kind(r.Type), r.Crit, r.Data)
	if err != nil {
		return Clean("not understood: " + err.Error()), ""
	}
	if failed, ok := p.(machine.PrecheckFailed); ok {
		next = failed.Next
	}
	return Clean(words(p)), Clean(next)
}

// words returns the meaning of a payload, the most important part first.
func words(p machine.Payload) string {
	switch p := p.(type) {
	case machine.FingerprintCaptured:
		return fmt.Sprintf("%s %s", p.Role, Short(p.CompositeHash))
	case machine.UpdateDetected:
		s := string(p.Cause)
		if p.Attempt > 1 {
			s += fmt.Sprintf(" attempt %d", p.Attempt)
		}
		if len(p.Changed) > 0 {
			s += ": " + strings.Join(p.Changed, ", ")
		}
		return s
	case machine.ManifestVerified:
		s := plural(p.Operations, "operation")
		if p.Serial != nil {
			s += fmt.Sprintf(", serial %d", *p.Serial)
		}
		return s + ", key " + Short(p.KeyBLAKE3)
	case machine.OpApplied:
		s := fmt.Sprintf("#%d %s", p.Index, p.Dst)
		if p.AlreadyInPlace {
			s += " (in place)"
		}
		return s
	case machine.EpochRotated:
		return fmt.Sprintf("epoch %d in %s", p.BootEpoch, time.Duration(p.DurationMS)*time.Millisecond)
	case machine.PrecheckFailed:
		return fmt.Sprintf("exit %d at %s: %s", p.ExitCode, p.Stage, Cause(p.Reason))
	case machine.UpdateAbandoned:
		return fmt.Sprintf("update #%d: %s", p.UpdateSeq, p.Reason)
	case machine.LegacyStateAdopted:
		return fmt.Sprintf("epoch %d, %s", p.BootEpoch, Short(p.CompositeHash))
	case machine.SnapshotTaken:
		return fmt.Sprintf("of %d: %s", p.Of, Short(p.BLAKE3))
	case machine.ProjectionRepaired:
		return fmt.Sprintf("%s: %s", p.Reason, p.Path)
	case machine.HeadRebuilt:
		return fmt.Sprintf("at %d: %s", p.Seq, p.Found)
	case machine.CertificateRotated:
		return "valid to " + p.NotAfter.UTC().Format(TimeForm)
	case machine.DrillRequested:
		return by(p.By, p.Reason)
	case machine.DrillCancelled:
		return by(p.By, p.Reason)
	case machine.KeyRotated:
		return fmt.Sprintf("%s %s -> %s", p.Purpose, Short(p.OldKey), Short(p.NewKey))
	case machine.KeyReplaced:
		return fmt.Sprintf("%s -> %s, %s", p.Purpose, Short(p.NewKey), by(p.By, p.Reason))
	case machine.ClockReset:
		return "to " + p.New.UTC().Format(TimeForm) + ", " + by(p.By, p.Reason)
	case machine.NodeRenamed:
		return fmt.Sprintf("%s -> %s, %s", p.Old, p.New, by(p.By, p.Reason))
	case machine.JournalSalvaged:
		return fmt.Sprintf("from %s, %s kept: %s", p.Predecessor, plural(int(min(p.Size, 1<<52)), "record"), p.Lost)
	case machine.Unknown:
		return "a kind that this version does not know"
	}
	return ""
}

// Cause returns a failure's reason without its common prefix.
func Cause(reason string) string { return strings.TrimPrefix(reason, "precheck: ") }

func by(who, reason string) string {
	if who == "" {
		return reason
	}
	return who + ": " + reason
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Short returns the first 12 digits of a hash.
func Short(hash string) string {
	if len(hash) <= 12 {
		return hash
	}
	return hash[:12]
}

// Clean replaces all characters that are not printable ASCII.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, s)
}

// CleanJSON escapes all characters in JSON text that are not printable ASCII. The
// text stays JSON with the same meaning.
func CleanJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n', r >= ' ' && r <= '~':
			b.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", hi, lo)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
