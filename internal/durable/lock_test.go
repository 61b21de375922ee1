package durable_test

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

func openReader(t *testing.T, dir string) *durable.Root {
	t.Helper()
	r, err := durable.OpenRootReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// shared takes the shared lock, and fails the test unless the error is want.
func shared(t *testing.T, r *durable.Root, want error) (unlock func()) {
	t.Helper()
	unlock, err := r.TryLockShared()
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Fatalf("%v, want %v", err, want)
	}
	return unlock
}

func exclusive(t *testing.T, r *durable.Root, want bool) {
	t.Helper()
	if held, err := r.TryLock(); held != want || err != nil {
		t.Fatalf("the writer's lock: %v, %v, want %v", held, err, want)
	}
}

// TestLockShared: readers exclude the writer and the writer the readers, but
// readers not each other.
func TestLockShared(t *testing.T) {
	dir := t.TempDir()
	gate, other := openRoot(t, dir, false), openRoot(t, dir, false)
	one, two := openReader(t, dir), openReader(t, dir)

	unlockOne, unlockTwo := shared(t, one, nil), shared(t, two, nil)
	again := shared(t, one, nil) // each call's lock is its own
	exclusive(t, gate, false)
	unlockOne()
	unlockOne()
	unlockTwo()
	exclusive(t, gate, false)
	again()
	exclusive(t, gate, true)

	shared(t, one, durable.ErrLockHeld)() // calling it is harmless
	shared(t, gate, durable.ErrLockHeld)  // also of the writer's own root,
	exclusive(t, other, false)            // and that did not weaken its lock
	if err := gate.Unlock(); err != nil {
		t.Fatal(err)
	}
	unlock := shared(t, gate, nil)
	exclusive(t, gate, false)
	if err := gate.Unlock(); err != nil { // it releases TryLock's lock only, and there is none
		t.Fatal(err)
	}
	exclusive(t, other, false)
	unlock()
	exclusive(t, other, true)

	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	shared(t, one, fs.ErrClosed)
}

// TestNoLock: a filesystem or sandbox without flock is not mistaken for a writer.
func TestNoLock(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		unix.ENOLCK: durable.ErrNoLock, unix.ENOSYS: durable.ErrNoLock, unix.EOPNOTSUPP: durable.ErrNoLock, unix.EPERM: durable.ErrNoLock,
		unix.EWOULDBLOCK: durable.ErrLockHeld, unix.EIO: unix.EIO,
	} {
		dir := t.TempDir()
		under(t, []denied{{nr: unix.SYS_FLOCK, errno: errno}}, func(t *testing.T) {
			root, err := durable.OpenRootReadOnly(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = root.Close() }()
			unlock, err := root.TryLockShared()
			if !errors.Is(err, want) {
				t.Errorf("%v: %v, want %v", errno, err, want)
			}
			unlock()
			held, err := root.TryLock()
			if held || errno == unix.EWOULDBLOCK && err != nil || errno != unix.EWOULDBLOCK && !errors.Is(err, want) {
				t.Errorf("%v: the writer's lock: %v, %v", errno, held, err)
			}
			for _, other := range []error{durable.ErrNoLock, durable.ErrLockHeld} {
				if other != want && errors.Is(err, other) {
					t.Errorf("%v is also %v", errno, other)
				}
			}
		})
	}
}
