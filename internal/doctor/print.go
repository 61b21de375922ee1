package doctor

import (
	"cmp"
	"fmt"
	"io"

	"github.com/autonomyops/edged/internal/display"
)

const unknown = "unknown"

// Print writes the report as a screen of at most 80 columns. Commands are not
// folded.
func (r *Report) Print(w io.Writer) error {
	s := display.NewScreen(19)
	s.Row("node", "%s", cmp.Or(r.Node, unknown))
	s.Row("state root", "%s", cmp.Or(r.StateRoot, unknown))
	s.Row("config", "%s", cmp.Or(r.Config, "none"))
	r.PrintLimits(s)
	for _, f := range r.Findings {
		s.Row("", "")
		f.Print(s)
	}
	if len(r.Findings) > 0 {
		s.Row("", "")
	}
	s.Row("next boot", "%s", r.Boot)
	s.Row("next reconstruction", "%s", r.Rebuild)
	errors := 0
	for _, f := range r.Findings {
		if f.Severity == Error {
			errors++
		}
	}
	s.Row("verdict", "%s, %s", display.Count(errors, "error"), display.Count(len(r.Findings)-errors, "warning"))
	_, err := io.WriteString(w, s.String())
	return err
}

// PrintLimits writes certificates, space, the journal's tail and who else has seen
// the journal.
func (r *Report) PrintLimits(s *display.Screen) {
	s.Row("certificate", "%s", r.Leaf)
	s.Row("CA", "%s", r.CA)
	s.Row("space", "%s", r.Space)
	if r.Tail != nil {
		s.Row("journal tail", "%s, room for %s", display.Count(r.Tail.Records, "record"), display.Bytes(r.Tail.FreeBytes))
	}
	if r.Unseen != nil {
		s.Row("witnesses", "%s", r.Unseen)
	}
}

// Print writes a finding.
func (f Finding) Print(s *display.Screen) {
	s.Row(string(f.Severity), "%s", f.Code)
	s.Row("", "%s", f.What)
	if f.Path != "" {
		s.Row("  where", "%s", f.Path)
	}
	if f.Detail != "" {
		s.Row("  why", "%s", f.Detail)
	}
	if f.Ends != "" {
		s.Row("  ends", "the next %s", f.Ends)
	}
	if f.Next != "" {
		s.Row("  next", "%s", f.Next)
	}
	if f.Command != "" {
		s.Whole("  command", f.Command)
	}
}

func (o Outcome) String() string {
	if o.Passes {
		return "passes"
	}
	return fmt.Sprintf("FAILS, exit code %d", o.ExitCode)
}

func (v *Validity) String() string {
	if v == nil {
		return unknown
	}
	return fmt.Sprintf("until %s, %s left", v.NotAfter.Format(display.TimeForm), display.Count(v.Days, "day"))
}

func (s *Space) String() string {
	if s == nil {
		return unknown
	}
	bytes, inodes := unknown, unknown
	if s.Bytes != nil {
		bytes = display.Bytes(int64(*s.Bytes))
	}
	if s.Inodes != nil {
		inodes = fmt.Sprint(*s.Inodes)
	}
	return fmt.Sprintf("%s free, %s inodes free", bytes, inodes)
}
