package explain_test

import (
	"fmt"
	"testing"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/machine"
	"github.com/autonomyops/edged/replay/explain"
)

// Each list of an epoch has at most 32 entries, the first and the newest ones, and
// every boot is counted.
func TestBoundedReport(t *testing.T) {
	const boots = 200
	failure := func(i int, reason string) machine.PrecheckFailed {
		return machine.PrecheckFailed{V: 1, ExitCode: 3 + i%2*2, Stage: "s", Path: "p", Reason: reason, Attempt: i + 1}
	}
	detected := func(i int) machine.UpdateDetected {
		return machine.UpdateDetected{V: 1, Cause: machine.CauseOSChanged, Causes: []machine.Cause{machine.CauseOSChanged}, PreviousHash: historytest.OldOS,
			CurrentHash: historytest.NewOS, Changed: []string{"uname_release"}, Attempt: i + 1}
	}
	for name, tt := range map[string]struct {
		boot    func(i int) []machine.Payload
		list    func(e *explain.Epoch) (n int, counted, omitted uint64)
		omitted uint64
	}{
		"alternating failures": {func(i int) []machine.Payload { return []machine.Payload{failure(i, "r")} }, failures, 0},
		"distinct failures":    {func(i int) []machine.Payload { return []machine.Payload{failure(i, fmt.Sprint(i))} }, failures, boots - 32},
		"alternating repairs": {func(i int) []machine.Payload {
			return []machine.Payload{machine.ProjectionRepaired{V: 1, Path: fmt.Sprint(i % 2), Reason: "missing"}}
		}, events, 0},
		"distinct repairs": {func(i int) []machine.Payload {
			return []machine.Payload{machine.ProjectionRepaired{V: 1, Path: fmt.Sprint(i), Reason: "missing"}}
		}, events, boots - 32},
		"alternating attempts": {func(i int) []machine.Payload { return []machine.Payload{detected(i), failure(i, "r")} }, attempts, 0},
		"interrupted attempts": {func(i int) []machine.Payload { return []machine.Payload{detected(i)} }, attempts, boots - 32},
		"abandoned updates": {func(i int) []machine.Payload {
			return []machine.Payload{detected(0), machine.UpdateAbandoned{V: 1, UpdateSeq: 1, Reason: "back"}}
		}, updates, boots - 32},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := historytest.New(t, t.TempDir())
			h.Wild = true
			h.First()
			for i := range boots {
				h.NextBoot()
				for _, p := range tt.boot(i) {
					h.Append(p)
				}
			}
			rep := tell(t, open(t, h))
			n, counted, omitted := tt.list(rep.Epochs[0])
			if n != 32 || counted+omitted != boots || omitted != tt.omitted {
				t.Errorf("%d entries of %d boots, %d omitted", n, counted, omitted)
			}
		})
	}
}

func failures(e *explain.Epoch) (n int, counted, omitted uint64) {
	for _, f := range e.Failures {
		counted += f.Count
	}
	return len(e.Failures), counted, e.FailuresOmitted
}

func events(e *explain.Epoch) (n int, counted, omitted uint64) {
	for _, ev := range e.Events {
		counted += ev.Count
	}
	return len(e.Events), counted, e.EventsOmitted
}

func updates(e *explain.Epoch) (n int, counted, omitted uint64) {
	return len(e.Updates), uint64(len(e.Updates)), e.UpdatesOmitted
}

func attempts(e *explain.Epoch) (n int, counted, omitted uint64) {
	r := e.Updates[0]
	for _, a := range r.Attempts {
		counted += uint64(a.Boots)
	}
	return len(r.Attempts), counted, uint64(r.AttemptsOmitted)
}
