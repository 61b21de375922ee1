package bucket

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// lockFolder holds the files on which the locks are.
const lockFolder = "locks"

// nameLocks are the locks of all names: each name has one of 64. A lock excludes the
// goroutines of this process by a channel and those of other processes by flock(2) on a
// file. The channel is not only faster: a goroutine that waits for another one is woken,
// while a wait for another process must poll, because flock cannot be interrupted.
type nameLocks struct {
	root *durable.Root
	mine [64]chan struct{} // holds a value while the lock is taken
}

func newNameLocks(root *durable.Root) (l nameLocks) {
	l.root = root
	for i := range l.mine {
		l.mine[i] = make(chan struct{}, 1)
	}
	return l
}

// prepare makes the files that are missing. They stay for the life of the store: two
// processes with two files of one name would not exclude each other.
func (l *nameLocks) prepare() error {
	found, err := durable.Names(l.root, lockFolder)
	if err != nil || len(found) >= len(l.mine) {
		return err
	}
	for i := range l.mine {
		file, err := l.root.Create(lockFile(i), 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

func lockFile(i int) string { return fmt.Sprintf("%s/%02x", lockFolder, i) }

// lock waits for the lock of a name until ctx ends. The kernel releases the lock of a
// process that dies.
func (l *nameLocks) lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name))
	i := int(hash.Sum32() % uint32(len(l.mine)))
	select {
	case l.mine[i] <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	fd, err := l.flock(ctx, lockFile(i))
	if err != nil {
		<-l.mine[i]
		return nil, err
	}
	return func() {
		// A child between fork and exec has the descriptor too: closing alone would
		// not unlock yet.
		_ = unix.Flock(fd, unix.LOCK_UN)
		_ = unix.Close(fd)
		<-l.mine[i]
	}, nil
}

// flock returns a descriptor of its own that holds the lock of a file: flock(2) does not
// exclude two users of one descriptor.
func (l *nameLocks) flock(ctx context.Context, file string) (fd int, err error) {
	fail := func(err error) (int, error) {
		return -1, &fs.PathError{Op: "flock", Path: path.Join(l.root.Path(), file), Err: err}
	}
	// Nothing is created, read or written here; that it is the file of the store is
	// checked below. So a symbolic link in the path does no harm.
	fd, err = unix.Openat(l.root.Fd(), file, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		switch err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err {
		case nil:
			if err := l.same(fd, file); err != nil {
				_ = unix.Close(fd)
				return -1, err
			}
			return fd, nil
		case unix.EWOULDBLOCK:
			select {
			case <-time.After(wait):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		case unix.EINTR:
			continue
		case unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS:
			err = fmt.Errorf("%w: %w", durable.ErrNoLock, err)
		}
		_ = unix.Close(fd)
		return fail(err)
	}
}

// same returns an error if the file was replaced: another process may hold a lock on
// the one that has the name now.
func (l *nameLocks) same(fd int, file string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	info, err := l.root.Lstat(file)
	if err == nil && (info.Dev != st.Dev || info.Ino != st.Ino) {
		err = fmt.Errorf("%s was replaced while the store was in use", file)
	}
	return err
}
