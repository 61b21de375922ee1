package durable

import (
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// ReadHostFile reads a file outside every root: a configuration, a certificate,
// os-release. It follows symbolic links, which operators and certificate tools use.
// The file must be regular ([ErrNotRegular], without opening it) and have at most
// limit bytes ([ErrTooLarge]). It never blocks on a FIFO, and never reads more than
// limit+1 bytes, even if the file grows meanwhile or claims to be empty, as in
// /proc.
func ReadHostFile(path string, limit int64) ([]byte, error) {
	var st unix.Stat_t
	if err := retry(func() error { return unix.Stat(path, &st) }); err != nil {
		return nil, hostError(path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, pathError("open", path, NotRegularError(modeOf(st.Mode)))
	}
	fd, err := openat(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, hostError(path, err)
	}
	f := newFile(fd, path, path)
	defer func() { _ = f.Close() }()
	if err := regularFD(fd, &st); err != nil {
		return nil, pathError("open", path, err)
	}
	return readBounded(f, path, st.Size, limit)
}

// hostError keeps ELOOP as it is. Links are followed here, so ELOOP means an endless
// chain of them.
func hostError(path string, err error) error {
	if err == unix.ELOOP {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return pathError("open", path, err)
}

// readBounded reads f to its end; size is its size when it was opened.
func readBounded(f io.Reader, path string, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, pathError("read", path, tooLarge(limit))
	}
	// One more byte than the size: it shows the end of the file without a second
	// buffer, and whether the file grew.
	buf := make([]byte, 0, min(max(size, 512), limit)+1)
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, pathError("read", path, tooLarge(limit))
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		case len(buf) == cap(buf):
			grown := make([]byte, len(buf), min(int64(2*cap(buf)), limit+1))
			copy(grown, buf)
			buf = grown
		}
	}
}
