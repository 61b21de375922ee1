package gate

import (
	"encoding/json"
	"fmt"

	"github.com/autonomyops/edged/machine"
)

// dryPlan collects the events of a dry run. A dry run executes the same loop;
// its appends change the state in memory only.
type dryPlan struct {
	Events    []dryEvent
	asked     bool  // whether the journal's files may be written
	tailBytes int64 // that the planned records take in the tail
}

type dryEvent struct {
	Seq  uint64          `json:"seq"`
	Type machine.Kind    `json:"type"`
	Data machine.Payload `json:"data"`
}

func (p *dryPlan) append(r *run, e machine.Event) *Failure {
	state, err := machine.Apply(r.history.state, e)
	if err != nil {
		return r.unusable(err, "precheck: event cannot be journaled", "this is a defect of edged; report it with the journal")
	}
	r.history.state = state
	p.Events = append(p.Events, dryEvent{Seq: e.Seq, Type: e.Meta.Kind, Data: e.Payload})
	return nil
}

// dryResult is the dry run's result on standard output with --log-format json.
type dryResult struct {
	DryRun    bool       `json:"dry_run"`
	ExitCode  int        `json:"exit_code"`
	Stage     string     `json:"stage,omitempty"`
	Path      string     `json:"path,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Next      string     `json:"next,omitempty"`
	BootEpoch *uint64    `json:"boot_epoch,omitempty"`
	Events    []dryEvent `json:"events"`
}

func (p *dryPlan) print(r *run, f *Failure, exit int) {
	res := dryResult{DryRun: true, ExitCode: exit, Events: p.Events}
	if res.Events == nil {
		res.Events = []dryEvent{}
	}
	if r.history != nil {
		res.BootEpoch = &r.history.state.Epoch
	}
	if f != nil {
		res.Stage, res.Path, res.Reason, res.Next = f.Stage, f.Path, f.Message+": "+f.Reason(), f.Next
	}
	if r.JSON {
		enc := json.NewEncoder(r.host.Stdout)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(res); err != nil {
			r.log.Error("precheck: dry run cannot be printed", "err", err)
		}
		return
	}
	for _, e := range res.Events {
		fmt.Fprintf(r.host.Stdout, "would append  %s%s\n", e.Type, detail(e.Data))
	}
	if f != nil {
		fmt.Fprintf(r.host.Stdout, "would fail    %s: path=%s: %s\n", f.Message, r.where(f), f.Reason())
		fmt.Fprintf(r.host.Stdout, "next          %s\n", f.Next)
	}
	fmt.Fprintf(r.host.Stdout, "would exit    %d\n", exit)
}

func detail(p machine.Payload) string {
	switch p := p.(type) {
	case machine.FingerprintCaptured:
		return fmt.Sprintf("  role=%s composite_hash=%s", p.Role, p.CompositeHash)
	case machine.UpdateDetected:
		return fmt.Sprintf("  causes=%v attempt=%d changed=%v", p.Causes, p.Attempt, p.Changed)
	case machine.ManifestVerified:
		return fmt.Sprintf("  manifest_hash=%s operations=%d", p.ManifestHash, p.Operations)
	case machine.OpApplied:
		return fmt.Sprintf("  index=%d op=%s dst=%s already_in_place=%t", p.Index, p.Op, p.Dst, p.AlreadyInPlace)
	case machine.EpochRotated:
		return fmt.Sprintf("  boot_epoch=%d", p.BootEpoch)
	case machine.ProjectionRepaired:
		return fmt.Sprintf("  path=%s reason=%s", p.Path, p.Reason)
	}
	return ""
}
