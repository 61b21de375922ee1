package durable

import (
	"errors"
	"math"

	"golang.org/x/sys/unix"
)

// Preallocate implements [File]. If the filesystem has no fallocate (zfs, some network
// filesystems), zeros are written after the end of the file; holes before it stay holes,
// because filling them would race with writers.
func (f *file) Preallocate(off, length int64) error {
	err := f.do("preallocate", func(fd int) error {
		if off < 0 || length <= 0 || off > math.MaxInt64-length {
			return unix.EINVAL // also checked here, for the fallback
		}
		return unix.Fallocate(fd, 0, off, length)
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return f.writeZeros(off + length)
	}
	return err
}

// writeZeros extends the file to end with zeros that occupy disk space.
func (f *file) writeZeros(end int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var zeros [64 << 10]byte
	for at := info.Size; at < end; {
		n, err := f.WriteAt(zeros[:min(int64(len(zeros)), end-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
