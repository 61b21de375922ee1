package display

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/autonomyops/edged/replay/explain"
)

// causeWords returns a cause as a clause.
func causeWords(cause string) string {
	words := map[string]string{
		"salvaged":             "the journal was salvaged",
		"legacy":               "the state of older software was adopted",
		"fingerprint_tampered": "the fingerprint file had been tampered with",
		"foreign_writer":       "older software had written the fingerprint file",
		"os_changed":           "the operating system changed",
		"runtime_drift":        "what was installed had drifted",
		"drill":                "a drill was due",
	}
	return cmp.Or(words[cause], cause)
}

func causesOf(causes []string) string {
	out := make([]string, len(causes))
	for i, c := range causes {
		out[i] = causeWords(c)
	}
	return strings.Join(out, "; ")
}

// Why returns the reason why an epoch began as a clause.
func Why(e *explain.Epoch) string {
	switch e.Why {
	case explain.WhyFirstRun:
		return "first run"
	case explain.WhyAdopted:
		return "adopted from software without a journal"
	case explain.WhySalvaged:
		return "carried over from a damaged journal"
	case explain.WhyReconstruction:
		if e.Reconstruction == nil {
			return "a reconstruction was completed"
		}
		return causesOf(e.Reconstruction.Causes)
	case explain.WhyFloor:
		return "proven by evidence found at the first run"
	case explain.WhyEarlier:
		return "began before these records"
	}
	return "no record has the reason"
}

// reconstruction adds what changed, what was done, and the result.
func (r *rows) reconstruction(u *explain.Reconstruction) {
	r.changes(u)
	if u.FoundFile != "" {
		claimed := ""
		if u.FoundEpoch != nil {
			claimed = fmt.Sprintf("; it claimed epoch %d, which was ignored", *u.FoundEpoch)
		}
		r.row("found file", "%s%s", Short(u.FoundFile), claimed)
	}
	for _, a := range u.Attempts {
		r.attempt(a)
	}
	r.omitted("attempts", uint64(u.AttemptsOmitted))
	switch u.Result {
	case explain.Abandoned:
		r.row("abandoned", "%s, record %d: %s", moment(u.Closed.Time), u.Closed.Seq, u.Reason)
	case explain.Open:
		r.row("still open", "after the last record")
	}
	interrupted := ""
	if u.Interrupted > 0 {
		interrupted = ", interrupted " + plural(u.Interrupted, "time")
	}
	r.row("time spent", "%s of gate time (by uptime), %s from first to last (wall clock)%s", lasted(u.GateMS), lasted(u.WallMS), interrupted)
}

func (r *rows) changes(u *explain.Reconstruction) {
	switch {
	case len(u.Changed) > 0:
		names := make([]string, len(u.Changed))
		for i, c := range u.Changed {
			names[i] = inputName(c)
		}
		r.row("changed", "%s", strings.Join(names, ", "))
	case u.Compared:
		r.row("changed", "nothing in the operating system")
	default:
		r.row("changed", "not known: there was no baseline to compare with")
	}
	r.lines(u.OSRelease)
	r.truncated(r.names+1, u.OSReleaseTruncated)
	switch {
	case u.KernelTo == "":
	case u.Compared && u.KernelFrom != u.KernelTo:
		r.row("", "kernel %s -> %s", cmp.Or(u.KernelFrom, "unknown"), u.KernelTo)
	case len(u.Changed) > 0:
		r.row("", "kernel %s, as before", u.KernelTo)
	}
}

// inputName returns the usual name of an input of the fingerprint.
func inputName(input string) string {
	names := map[string]string{"etc_os_release": "/etc/os-release", "usr_lib_os_release": "/usr/lib/os-release", "uname_release": "kernel"}
	return cmp.Or(names[input], input)
}

func (r *rows) attempt(a *explain.Attempt) {
	what := "began"
	switch {
	case a.Resumed:
		what = "resumed"
	case a.Supersedes != 0:
		what = "began after the system changed again,"
	}
	r.row(fmt.Sprintf("attempt %d", a.Attempt), "%s %s, record %d", what, moment(a.First.Time), a.First.Seq)
	if v := a.Verified; v != nil {
		r.row("", "verified: manifest %s, %s%s, under key %s", Short(v.ManifestHash), serialOf(v.Serial), plural(v.Operations, "operation"), Short(v.KeyBLAKE3))
	}
	for _, op := range a.Applied {
		place := ""
		if op.AlreadyInPlace {
			place = ", already in place"
		}
		r.row("", "applied: %s, %d bytes, %s, blake3 %s%s", op.Dst, op.Bytes, op.Mode, Short(op.BLAKE3), place)
	}
	r.omitted("applied", uint64(a.AppliedOmitted))
	switch a.Result {
	case explain.Completed:
		r.row("", "completed %s, record %d", moment(a.Last.Time), a.Last.Seq)
	case explain.Failed:
		f := a.Failure
		r.row("", "FAILED at record %d: exit %d at %s: %s (%s)", f.Seq, f.ExitCode, f.Stage, Cause(f.Reason), f.Path)
		if a.Boots > 1 {
			r.row("", "and again: %d boots until attempt %d, the last %s, record %d", a.Boots, a.LastAttempt, moment(a.Last.Time), a.Last.Seq)
		}
	case explain.Interrupted:
		r.row("", "INTERRUPTED after record %d, %s", a.Last.Seq, moment(a.Last.Time))
	}
}
