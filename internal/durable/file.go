package durable

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"
)

// file is an open regular file. It holds a bare descriptor rather than an os.File,
// which would register with the runtime's poller: that cannot poll regular files and
// costs a boot several system calls.
type file struct {
	mu   sync.RWMutex // held for writing by Close, so that no call uses a descriptor that is already another file's
	fd   int          // -1 once closed
	path string       // as the host sees it, for messages
	base string
}

var _ File = (*file)(nil)

func newFile(fd int, path, base string) *file { return &file{fd: fd, path: path, base: base} }

// do calls call with the descriptor, again if a signal interrupts it.
func (f *file) do(op string, call func(fd int) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.fd < 0 {
		return &fs.PathError{Op: op, Path: f.path, Err: fs.ErrClosed}
	}
	if err := retry(func() error { return call(f.fd) }); err != nil {
		return pathError(op, f.path, err)
	}
	return nil
}

// Read implements [io.Reader].
func (f *file) Read(p []byte) (n int, err error) {
	err = f.do("read", func(fd int) (err error) { n, err = unix.Read(fd, p); return err })
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// ReadAt implements [io.ReaderAt].
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.whole("read", p, func(fd int, rest []byte, done int64) (int, error) {
		return unix.Pread(fd, rest, off+done)
	})
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Write implements [io.Writer].
func (f *file) Write(p []byte) (int, error) {
	n, err := f.whole("write", p, func(fd int, rest []byte, _ int64) (int, error) {
		return unix.Write(fd, rest)
	})
	return short(n, len(p), err)
}

// WriteAt implements [io.WriterAt].
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.whole("write", p, func(fd int, rest []byte, done int64) (int, error) {
		return unix.Pwrite(fd, rest, off+done)
	})
	return short(n, len(p), err)
}

// short returns an error for a short write, as io.Writer requires.
func short(n, want int, err error) (int, error) {
	if err == nil && n < want {
		err = io.ErrShortWrite
	}
	return n, err
}

// whole repeats a call until it has moved all of p, fails, or moves nothing. It calls
// at least once, so that an empty p also returns a closed file's error.
func (f *file) whole(op string, p []byte, call func(fd int, rest []byte, done int64) (int, error)) (done int, err error) {
	for {
		n := 0
		err = f.do(op, func(fd int) (err error) { n, err = call(fd, p[done:], int64(done)); return err })
		if err != nil {
			return done, err // a failed call's n is -1
		}
		if done += n; n == 0 || done == len(p) {
			return done, nil
		}
	}
}

// Close implements [io.Closer]. An interrupted close(2) has closed on Linux.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd < 0 {
		return &fs.PathError{Op: "close", Path: f.path, Err: fs.ErrClosed}
	}
	err := unix.Close(f.fd)
	f.fd = -1
	if err != nil && !errors.Is(err, unix.EINTR) {
		return pathError("close", f.path, err)
	}
	return nil
}

// Truncate implements [File].
func (f *file) Truncate(size int64) error {
	return f.do("truncate", func(fd int) error { return unix.Ftruncate(fd, size) })
}

// Chmod implements [File]. Bits of perm other than 0777 are EINVAL.
func (f *file) Chmod(perm fs.FileMode) error {
	return f.do("chmod", func(fd int) error {
		if perm&^fs.ModePerm != 0 {
			return unix.EINVAL
		}
		return unix.Fchmod(fd, uint32(perm))
	})
}

// Chown implements [File].
func (f *file) Chown(uid, gid uint32) error {
	return f.do("chown", func(fd int) error {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil || st.Uid == uid && st.Gid == gid {
			return err
		}
		return unix.Fchown(fd, int(uid), int(gid))
	})
}

// Sync implements [File].
func (f *file) Sync() error { return f.do("sync", unix.Fsync) }

// Datasync implements [File].
func (f *file) Datasync() error { return f.do("datasync", unix.Fdatasync) }

// WriteBehind implements [WriteBehind].
func (f *file) WriteBehind(off, length int64) error {
	err := f.do("write behind", func(fd int) error {
		return unix.SyncFileRange(fd, off, length, unix.SYNC_FILE_RANGE_WRITE)
	})
	if refused(err) {
		return nil
	}
	return err
}

// Stat implements [File].
func (f *file) Stat() (Info, error) {
	var st unix.Stat_t
	if err := f.do("stat", func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return Info{}, err
	}
	return infoOf(f.base, &st), nil
}
