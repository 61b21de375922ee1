package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/autonomyops/edged/internal/display"
	"github.com/autonomyops/edged/internal/doctor"
)

const unknown = "unknown"

// Print writes the status as a screen.
func (s *Status) Print(w io.Writer) error {
	screen := display.NewScreen(12)
	row := screen.Row
	row("node", "%s", cmp.Or(s.Node, unknown))
	if s.Head == nil {
		row("journal", unknown)
	} else {
		row("journal", "%s, %s", s.Journal, display.Count(int(s.Head.Seq), "record"))
	}
	if s.Epoch == nil {
		row("epoch", unknown)
	} else {
		row("epoch", "%d, %s", *s.Epoch, s.Phase)
	}
	s.printBoot(row)
	s.printUpdate(row)
	s.printFailures(row)
	s.printFiles(row)
	s.printKeys(row)
	s.printLimits(screen)
	for _, n := range s.Notices {
		row("NOTE", "%s", n)
	}
	for _, p := range s.Problems {
		row("PROBLEM", "%s", p)
	}
	if s.Doctor != nil && !s.Doctor.OK {
		row("", "edgectl doctor has the commands that repair it")
	}
	if s.Healthy {
		row("verdict", "healthy")
	} else {
		row("verdict", "NOT HEALTHY")
	}
	_, err := io.WriteString(w, screen.String())
	return err
}

// printFailures writes the newest failure, and its next step if no boot has passed
// since.
func (s *Status) printFailures(row printRow) {
	recovered := s.LastBoot != nil && s.LastBoot.Outcome == OutcomeOK
	if f := s.LastFailure; f != nil {
		since := ""
		if recovered && f.Seq < s.LastBoot.Seq {
			since = "; boots have passed since"
		}
		row("last failure", "%s, record %d: exit %d at %s: %s%s", at(f.Time), f.Seq, f.ExitCode, f.Stage, display.Cause(f.Reason), since)
	} else if s.Head != nil {
		row("last failure", "none journaled")
	}
	if f := s.FailureFile; f != nil && !(recovered && f.Time.Before(s.LastBoot.Time)) {
		row("not journaled", "%s: exit %d at %s: %s", at(f.Time), f.ExitCode, f.Stage, display.Cause(f.Reason))
		row("", "next: %s", f.Next)
	}
}

// printLimits writes certificates, space and the journal's tail.
func (s *Status) printLimits(screen *display.Screen) {
	rep := s.Doctor
	if rep == nil {
		rep = &doctor.Report{Tail: s.Tail}
	}
	rep.PrintLimits(screen)
}

type printRow func(name, format string, args ...any)

func (s *Status) printBoot(row printRow) {
	b := s.LastBoot
	if b == nil {
		row("last boot", unknown)
		return
	}
	outcome := b.Outcome
	if b.Outcome == OutcomeFailed {
		outcome = fmt.Sprintf("failed with exit code %d", *b.ExitCode)
	}
	row("last boot", "%s, %s, from record %d", at(b.Time), outcome, b.Seq)
	if r := s.Reconstruction; r != nil {
		of := unknown
		if r.Of != nil {
			of = fmt.Sprint(*r.Of)
		}
		row("open", "reconstruction since record %d, attempt %d, %d of %s operations applied", r.Since, r.Attempt, r.Applied, of)
	}
}

func (s *Status) printUpdate(row printRow) {
	u := s.LastUpdate
	switch {
	case u == nil && s.Head == nil:
		row("last update", unknown)
		return
	case u == nil:
		row("last update", "none yet")
		return
	}
	causes := make([]string, len(u.Causes))
	for i, c := range u.Causes {
		causes[i] = string(c)
	}
	row("last update", "%s, to epoch %d, cause %s, %d ms", at(u.Time), u.Epoch, cmp.Or(strings.Join(causes, ", "), unknown), u.DurationMS)
	from := System{Name: unknown, Kernel: unknown}
	if u.From != nil {
		from = *u.From
	}
	if from.Name != u.To.Name {
		row("", "os      %s -> %s", from.Name, u.To.Name)
	}
	if from.Kernel != u.To.Kernel {
		row("", "kernel  %s -> %s", from.Kernel, u.To.Kernel)
	}
	if len(u.Changed) > 0 {
		row("", "changed %s", strings.Join(u.Changed, ", "))
	}
	serial := "none"
	if u.Serial != nil {
		serial = fmt.Sprint(*u.Serial)
	}
	row("", "manifest %s, serial %s, operations %d", display.Short(u.Manifest), serial, u.Operations)
}

func (s *Status) printFiles(row printRow) {
	if len(s.Projections) == 0 {
		row("projections", unknown)
	}
	for i, p := range s.Projections {
		name := ""
		if i == 0 {
			name = "projections"
		}
		row(name, "%-10s %s", strings.ReplaceAll(p.Health, "_", " "), p.Path)
	}
}

func (s *Status) printKeys(row printRow) {
	key := func(hash, none string) string {
		if hash == "" {
			return none
		}
		return display.Short(hash)
	}
	row("keys", "manifest %s, deployed %s", key(s.Keys.Manifest, "none yet"), key(s.Keys.Deployed, "none"))
	if n := len(s.Keys.Successors); n > 0 {
		row("", "followed by %s", display.Short(s.Keys.Successors[n-1]))
	}
	if s.Keys.Checkpoint != "" {
		row("", "checkpoint %s", display.Short(s.Keys.Checkpoint))
	}
}

func at(t time.Time) string { return t.UTC().Format(display.TimeForm) }
