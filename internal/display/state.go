package display

import (
	"fmt"
	"strings"

	"github.com/autonomyops/edged/machine"
)

// State returns a state as lines, one fact each.
func State(s machine.State) []string {
	lines := []string{fmt.Sprintf("phase %s, epoch %d", s.Phase, s.Epoch)}
	add := func(format string, args ...any) { lines = append(lines, Clean(fmt.Sprintf(format, args...))) }
	if b := s.Baseline; b == nil {
		add("baseline none")
	} else {
		add("baseline %s, kernel %s, set by record %d", Short(b.CompositeHash), b.UnameRelease, b.Seq)
	}
	if o := s.Open; o != nil {
		causes := make([]string, len(o.Causes))
		for i, c := range o.Causes {
			causes[i] = string(c)
		}
		add("open reconstruction since record %d, attempt %d, cause %s", o.First, o.Attempt, strings.Join(causes, ", "))
		if m := o.Manifest; m != nil {
			add("  manifest %s, %d of %s applied", Short(m.Hash), len(o.Applied), plural(m.Operations, "operation"))
		}
	}
	if c := s.Current; c != nil {
		add("running epoch completed by record %d, manifest %s", c.Meta.Seq, Short(c.Rotated.ManifestHash))
	}
	if d := s.Drill; d != nil {
		add("drill requested by record %d: %s", d.Seq, by(d.By, d.Reason))
	}
	if f := s.LastFail; f != nil {
		add("last failure record %d: exit %d at %s: %s", f.Seq, f.Failed.ExitCode, f.Failed.Stage, Cause(f.Failed.Reason))
	}
	if v := s.Salvage; v != nil {
		add("salvaged from %s", v.Predecessor)
	}
	return lines
}
