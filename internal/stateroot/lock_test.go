package stateroot

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

// locker is held by somebody else for a number of attempts.
type locker struct {
	busy, tries int
	err         error
}

func (l *locker) TryLock() (bool, error) {
	l.tries++
	return l.tries > l.busy, l.err
}

// fakeClock moves only when somebody sleeps.
type fakeClock struct {
	now   time.Time
	slept []time.Duration
}

func (c *fakeClock) clock() Clock {
	return Clock{Now: func() time.Time { return c.now }, Sleep: func(ctx context.Context, d time.Duration) error {
		c.slept = append(c.slept, d)
		c.now = c.now.Add(d)
		return ctx.Err()
	}}
}

func TestLock(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, tt := range []struct {
		name  string
		ctx   context.Context
		l     *locker
		wait  time.Duration
		want  error
		tries int
	}{
		{"free", context.Background(), &locker{}, LockWait, nil, 1},
		{"soon free", context.Background(), &locker{busy: 3}, LockWait, nil, 4},
		{"never free", context.Background(), &locker{busy: 1 << 30}, LockWait, ErrLocked, 0},
		{"no wait", context.Background(), &locker{busy: 1}, 0, ErrLocked, 1},
		{"cannot lock", context.Background(), &locker{err: syscall.ENOLCK}, LockWait, syscall.ENOLCK, 1},
		{"interrupted", cancelled, &locker{busy: 5}, LockWait, context.Canceled, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &fakeClock{now: time.Unix(1000, 0)}
			start := c.now
			err := Lock(tt.ctx, tt.l, tt.wait, c.clock())
			if !errors.Is(err, tt.want) || tt.tries > 0 && tt.l.tries != tt.tries {
				t.Errorf("got %v after %d attempts", err, tt.l.tries)
			}
			if tt.name != "never free" {
				return
			}
			if waited := c.now.Sub(start); waited != LockWait || tt.l.tries < 50 || tt.l.tries > 100 {
				t.Errorf("waited %v with %d attempts", waited, tt.l.tries)
			}
		})
	}
}

func TestLockExcludesAnotherRoot(t *testing.T) {
	dir := t.TempDir()
	var roots [2]*durable.Root
	for i := range roots {
		var err error
		if roots[i], err = durable.OpenRoot(dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := Lock(context.Background(), roots[0], 0, Clock{}); err != nil {
		t.Fatal(err)
	}
	if err := Lock(context.Background(), roots[1], 0, Clock{}); !errors.Is(err, ErrLocked) {
		t.Errorf("the second one got %v", err)
	}
	if err := roots[0].Close(); err != nil {
		t.Fatal(err)
	}
	if err := Lock(context.Background(), roots[1], 0, Clock{}); err != nil {
		t.Errorf("after the first one's end: %v", err)
	}
	_ = roots[1].Close()
}

func TestSystemSleep(t *testing.T) {
	if err := sleep(context.Background(), time.Nanosecond); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
