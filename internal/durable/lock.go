package durable

import "golang.org/x/sys/unix"

// TryLock takes the exclusive flock(2) of the root directory itself, without
// waiting; there is no lock file. held is false when another holder has it.
// The kernel releases the lock when the root is closed or the process ends,
// however it ends. It works on a read-only root too.
func (r *Root) TryLock() (held bool, err error) {
	err = retry(func() error { return unix.Flock(r.Fd(), unix.LOCK_EX|unix.LOCK_NB) })
	switch err {
	case nil:
		return true, nil
	case unix.EWOULDBLOCK:
		return false, nil
	}
	return false, r.fail("flock", ".", err)
}

// Unlock releases what TryLock took; it is harmless when nothing is held.
func (r *Root) Unlock() error {
	if err := retry(func() error { return unix.Flock(r.Fd(), unix.LOCK_UN) }); err != nil {
		return r.fail("flock", ".", err)
	}
	return nil
}
