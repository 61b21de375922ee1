package gate

import (
	"context"
	"errors"

	"github.com/autonomyops/edged/machine"
)

// ErrNoHistory: the state root has no journal yet; the gate's first run makes it.
var ErrNoHistory = errors.New("there is no journal yet")

// Operate appends one event that an operator requests. decide sees the state and
// returns the event, or an error. If the state root has no journal the error is
// ErrNoHistory; any other is a *Failure or decide's own.
//
// An operator's action publishes nothing and runs no checks of a boot: the next boot
// answers the event.
func Operate(ctx context.Context, stateRoot string, host Host, decide func(machine.State) (machine.Payload, error)) (event machine.Event, err error) {
	err = operate(ctx, stateRoot, host, func(r *run) error {
		payload, err := decide(r.history.state)
		if err != nil {
			return err
		}
		var f *Failure
		if event, f = r.append(payload); f != nil {
			return f
		}
		return nil
	})
	return event, err
}

// operate calls act under the gate's lock, after the checks of the journal that a
// boot makes.
func operate(ctx context.Context, stateRoot string, host Host, act func(*run) error) (err error) {
	defer func() {
		var f *Failure
		if errors.As(err, &f) {
			f.explain()
		}
	}()
	r := &run{host: host, log: host.Logger(""), rootPath: stateRoot}
	if f := r.name(); f != nil {
		return f
	}
	defer func() {
		if f := r.close(); f != nil && err == nil {
			err = f
		}
	}()
	if f := through(ctx, []check{r.openStateRoot, r.lockStateRoot, r.openHistory}); f != nil {
		return f
	}
	if r.history.view == nil {
		return ErrNoHistory
	}
	return act(r)
}
