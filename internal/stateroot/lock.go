package stateroot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/autonomyops/edged/internal/durable/fault"
)

// LockWait is the time for which a gate waits for another one.
const LockWait = 10 * time.Second

// Bounds of the pause between two attempts.
const (
	firstPause = 5 * time.Millisecond
	maxPause   = 200 * time.Millisecond
)

// ErrLocked: another gate (or an edgectl command that appends) holds the lock.
var ErrLocked = errors.New("another gate holds the lock of the state root")

// Locker is the lock of a root: [durable.Root] has it. There is no lock file;
// the flock is on the root directory itself and ends with the process.
type Locker interface {
	TryLock() (held bool, err error)
}

// Clock measures the wait. The zero Clock is the system's.
type Clock struct {
	Now   func() time.Time
	Sleep func(context.Context, time.Duration) error
}

func (c Clock) orSystem() Clock {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	return c
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Lock takes the lock. It waits up to wait for another holder to end, and
// tries at least once. The error is ErrLocked, with the context's if that ended the
// wait, or the system's: a filesystem without locks is not reported as another gate.
func Lock(ctx context.Context, l Locker, wait time.Duration, clock Clock) error {
	clock = clock.orSystem()
	end := clock.Now().Add(wait)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		held, err := l.TryLock()
		if err != nil {
			return fmt.Errorf("lock state root: %w", fault.Explain(err))
		}
		if held {
			return nil
		}
		left := end.Sub(clock.Now())
		if left <= 0 {
			return fmt.Errorf("lock state root: %w: waited %v; wait for it to end, or look for a hung edged precheck or edgectl", ErrLocked, wait)
		}
		if err := clock.Sleep(ctx, min(pause, left)); err != nil {
			return fmt.Errorf("lock state root: %w: the wait was interrupted: %w", ErrLocked, err)
		}
	}
}
