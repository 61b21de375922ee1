package gate

import (
	"context"
	"errors"

	"github.com/autonomyops/edged/machine"
)

// ErrNoHistory: the state root has no journal yet; the gate's first run makes it.
var ErrNoHistory = errors.New("there is no journal yet: run edged precheck first")

// Operate appends one event that an operator requests, under the gate's lock
// and after the checks of the journal that a boot makes. decide sees the state
// and returns the event, or an error. If the state root has no journal the
// error is ErrNoHistory; any other is a *Failure or decide's own.
//
// An operator's action publishes nothing and runs no checks of a boot: the next boot
// answers the event.
func Operate(ctx context.Context, stateRoot string, host Host, decide func(machine.State) (machine.Payload, error)) (event machine.Event, err error) {
	defer func() {
		var f *Failure
		if errors.As(err, &f) {
			f.explain()
		}
	}()
	r := &run{host: host, log: host.Logger(""), rootPath: stateRoot}
	if f := r.name(); f != nil {
		return event, f
	}
	defer func() {
		if f := r.close(); f != nil && err == nil {
			err = f
		}
	}()
	for _, stage := range []func(context.Context) *Failure{r.openStateRoot, r.lockStateRoot, r.openHistory} {
		if f := stage(ctx); f != nil {
			return event, f
		}
	}
	if r.history.view == nil {
		return event, ErrNoHistory
	}
	payload, err := decide(r.history.state)
	if err != nil {
		return event, err
	}
	event, f := r.append(payload)
	if f != nil {
		return event, f
	}
	return event, nil
}
