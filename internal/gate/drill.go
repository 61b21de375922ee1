package gate

import (
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/machine"
)

// Drill returns what [Operate] decides for a drill: the next boot reconstructs.
// It refuses unless x says that the reconstruction would pass its checks now.
func Drill(x *Examination, by, reason string) func(machine.State) (machine.Payload, error) {
	return func(s machine.State) (machine.Payload, error) {
		if s.Drill != nil {
			return nil, errs.Advise("boot the node, or cancel it with --cancel", "a drill is pending since record %d", s.Drill.Seq)
		}
		if f := x.EndsReconstruction(); f != nil {
			return nil, errs.Advise(f.Next, "refused, because the drill would end in exit %d: %s: path=%s: %s",
				f.Exit, f.Short(), f.Path, f.Reason())
		}
		return machine.DrillRequested{V: 1, By: by, Reason: reason}, nil
	}
}

// CancelDrill returns the decide function of [Operate] that withdraws a drill.
func CancelDrill(by, reason string) func(machine.State) (machine.Payload, error) {
	return func(s machine.State) (machine.Payload, error) {
		if s.Drill == nil {
			return nil, errs.Advise("edgectl journal log shows what was asked for", "no drill is pending")
		}
		return machine.DrillCancelled{V: 1, By: by, Reason: reason}, nil
	}
}
