package gate

import (
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/operation"
	"github.com/autonomyops/edged/machine"
)

// Drill returns what [Operate] decides for a drill: the next boot reconstructs.
// It refuses unless the reconstruction would pass its checks now. The clock is
// not believed to be before built.
func Drill(host Host, root string, built time.Time, by, reason string) func(machine.State) (machine.Payload, error) {
	return func(s machine.State) (machine.Payload, error) {
		if s.Drill != nil {
			return nil, errs.Advise("boot the node, or cancel it with --cancel", "a drill is pending since record %d", s.Drill.Seq)
		}
		if err := wouldPass(root, s, host.Now(), s.TimeFloor(""), built); err != nil {
			return nil, errs.Advise("mend it first: a drill on this node would end in exit 5", "refused: %w", err)
		}
		return machine.DrillRequested{V: 1, By: by, Reason: reason}, nil
	}
}

// CancelDrill returns what [Operate] decides to withdraw a drill.
func CancelDrill(by, reason string) func(machine.State) (machine.Payload, error) {
	return func(s machine.State) (machine.Payload, error) {
		if s.Drill == nil {
			return nil, errs.Advise("edgectl journal log shows what was asked for", "no drill is pending")
		}
		return machine.DrillCancelled{V: 1, By: by, Reason: reason}, nil
	}
}

// wouldPass reports why a reconstruction would not pass its checks. It does not
// know the config: neither its pin nor its assurance mode.
func wouldPass(root string, s machine.State, now time.Time, floors ...time.Time) error {
	tree, err := durable.OpenRootReadOnly(root)
	if err != nil {
		return err
	}
	defer tree.Close() //nolint:errcheck // read-only
	for _, floor := range floors {
		if floor.After(now) {
			now = floor
		}
	}
	_, m, err := admit(tree, s, "", manifest.Policy{Now: now.UTC()})
	if err != nil {
		return err
	}
	_, err = operation.Plan(tree, root, m)
	return err
}
