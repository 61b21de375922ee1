package durable

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

var (
	// ErrLockHeld: a writer holds the exclusive lock.
	ErrLockHeld = errors.New("a writer holds the lock")
	// ErrNoLock: the filesystem or a sandbox has no flock(2).
	ErrNoLock = errors.New("flock is not supported here")
)

// TryLock takes the exclusive flock(2) of the root directory itself, without waiting;
// there is no lock file. held is false if a writer or readers have the lock. The error
// is [ErrNoLock] if there is no flock here. The kernel releases the lock when the root
// is closed or the process ends. It also works on a read-only root.
func (r *Root) TryLock() (held bool, err error) {
	err = retry(func() error { return unix.Flock(r.Fd(), unix.LOCK_EX|unix.LOCK_NB) })
	switch err {
	case nil:
		return true, nil
	case unix.EWOULDBLOCK:
		return false, nil
	}
	return false, r.lockError(err)
}

// Unlock releases the lock of TryLock. Without a lock it does nothing.
func (r *Root) Unlock() error {
	if err := retry(func() error { return unix.Flock(r.Fd(), unix.LOCK_UN) }); err != nil {
		return r.fail("flock", ".", err)
	}
	return nil
}

// TryLockShared takes a shared flock(2) of the root directory, without waiting. While
// it is held, [Root.TryLock] of any other process or root returns false, so hold it
// briefly. Several readers may hold it together. It works on a read-only root and on a
// read-only mount.
//
// err is nil if the lock was taken, [ErrLockHeld] if a writer holds its lock,
// [ErrNoLock] if there is no flock here, or another failure. unlock is never nil and
// may be called more than once. The end of the process also releases the lock; closing
// the root does not.
//
// The lock is on a descriptor of its own, because a lock on the root's would silently
// replace an exclusive lock that this process took with TryLock. So it is ErrLockHeld
// even if this process is the writer.
func (r *Root) TryLockShared() (unlock func(), err error) {
	none := func() {}
	fd, err := openat(r.Fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return none, r.fail("flock", ".", err)
	}
	err = retry(func() error { return unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) })
	if err == nil {
		return sync.OnceFunc(func() {
			// A child between fork and exec has the descriptor too: closing
			// alone would not unlock yet.
			_ = unix.Flock(fd, unix.LOCK_UN)
			_ = unix.Close(fd)
		}), nil
	}
	_ = unix.Close(fd)
	if err == unix.EWOULDBLOCK {
		err = ErrLockHeld
	}
	return none, r.lockError(err)
}

// lockError distinguishes a filesystem without flock(2) from a lock that failed.
func (r *Root) lockError(err error) error {
	if err == unix.ENOLCK || refused(err) {
		err = fmt.Errorf("%w: %w", ErrNoLock, err)
	}
	return r.fail("flock", ".", err)
}
