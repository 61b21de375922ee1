package display

import (
	"fmt"
	"time"

	"github.com/autonomyops/edged/journal/record"
	"github.com/autonomyops/edged/machine"
)

// Point returns the state after a record as a screen. tip is the last record.
func Point(rec record.Record, tip uint64, s machine.State) string {
	r := &rows{names: 11}
	r.row("record", "%d of %d, %s, %s", rec.Seq, tip, rec.Type, moment(rec.Time))
	r.row("hash", "%s", rec.Hash)
	r.row("journal", "%s", s.Journal)
	r.row("node", "%s", s.Node)
	r.row("phase", "%s", phases(s.Phase))
	r.baseline(s)
	r.epoch(s)
	r.open(s)
	if s.Drill != nil {
		r.row("drill", "requested by record %d: %s", s.Drill.Seq, by(s.Drill.By, s.Drill.Reason))
	}
	for _, key := range s.Keys.Successors {
		r.row("next key", "%s", key)
	}
	if s.Keys.Checkpoint != "" {
		r.row("checkpoints", "key %s", s.Keys.Checkpoint)
	}
	if f := s.LastFail; f != nil {
		r.row("last failure", "record %d, %s: exit %d at %s: %s", f.Seq, moment(f.Time), f.Failed.ExitCode, f.Failed.Stage, Cause(f.Failed.Reason))
	}
	if v := s.Salvage; v != nil {
		r.row("salvaged", "from journal %s, %s kept; lost: %s", v.Predecessor, plural(int(min(v.Size, 1<<52)), "record"), v.Lost)
	}
	r.row("last run", "%s, since record %d: %s", s.Run.ID, s.Run.First, ran(s.Run))
	if !s.Clock.Floor.IsZero() {
		r.row("time floor", "%s", moment(s.Clock.Floor))
	}
	return r.b.String()
}

func (r *rows) baseline(s machine.State) {
	b := s.Baseline
	if b == nil {
		r.row("epoch", "%d", s.Epoch)
		r.row("baseline", "none yet")
		return
	}
	r.row("epoch", "%d, baseline set by record %d (%s)", s.Epoch, b.Seq, b.Kind)
	if name := System(b.OSRelease); name != "" {
		r.row("system", "%s", name)
	}
	r.row("kernel", "%s", b.UnameRelease)
	r.row("fingerprint", "%s", b.CompositeHash)
}

func (r *rows) epoch(s machine.State) {
	c := s.Current
	if c == nil {
		r.row("evidence", "none: no reconstruction was completed in this journal yet")
		return
	}
	m := c.Manifest
	r.row("manifest", "%s", m.Hash)
	r.row("", "%s%s, verified by record %d", serialOf(m.Serial), plural(m.Operations, "operation"), m.Seq)
	r.row("key", "%s", m.Key)
	for _, op := range c.Operations {
		r.row("installed", "%s, %d bytes, %s", op.Dst, op.Bytes, op.Mode)
		r.row("", "%s", op.BLAKE3)
	}
}

func (r *rows) open(s machine.State) {
	o := s.Open
	if o == nil {
		return
	}
	r.row("open", "since record %d, attempt %d, cause %s", o.First, o.Attempt, list(o.Causes))
	r.row("", "to %s", o.Target)
	if m := o.Manifest; m != nil {
		r.row("", "under manifest %s, %d of %s applied", Short(m.Hash), len(o.Applied), plural(m.Operations, "operation"))
	}
}

// serialOf returns a serial as the beginning of a list.
func serialOf(n *int64) string {
	if n == nil {
		return "no serial, "
	}
	return fmt.Sprintf("serial %d, ", *n)
}

func phases(p machine.Phase) string {
	meaning := map[machine.Phase]string{
		machine.PhaseNew:      "no baseline yet",
		machine.PhaseAdopted:  "the state of older software was adopted, a reconstruction is due",
		machine.PhaseSalvaged: "continues a damaged journal, a reconstruction is due",
		machine.PhaseSettled:  "nothing open",
		machine.PhaseDetected: "a reconstruction is open, no manifest is verified",
		machine.PhaseVerified: "a reconstruction is open, its manifest is verified",
		machine.PhaseApplying: "a reconstruction is open, operations were applied",
		machine.PhaseFailed:   "a reconstruction is open, its newest attempt failed",
	}
	return fmt.Sprintf("%s: %s", p, meaning[p])
}

func ran(r machine.Run) string {
	switch {
	case r.Failed != 0:
		return fmt.Sprintf("failed with exit %d", r.Failed)
	case r.Ended:
		return "had ended"
	}
	return "had not ended"
}

func moment(t time.Time) string { return t.UTC().Format(TimeForm) }
