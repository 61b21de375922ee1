package durable

import "golang.org/x/sys/unix"

// nocow is FS_NOCOW_FL of linux/fs.h: the filesystem overwrites the file's
// blocks where they are.
const nocow = 0x00800000

// NoCOW asks the filesystem to overwrite f in place from now on, so that a write to an
// existing block needs no free space (FS_NOCOW_FL, on btrfs). f must be new and empty.
// A filesystem without that flag is no error: most overwrite in place anyway. Neither
// is a File without a NoCOW method, as in the in-memory twin.
func NoCOW(f File) error {
	if can, ok := f.(interface{ NoCOW() error }); ok {
		return can.NoCOW()
	}
	return nil
}

// NoCOW implements [NoCOW].
func (f *file) NoCOW() error {
	err := f.do("set nocow", func(fd int) error {
		flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
		if err != nil || flags&nocow != 0 {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(int32(flags|nocow)))
	})
	if refused(err) {
		return nil
	}
	return err
}

// RandomAccess tells the kernel not to read ahead much (POSIX_FADV_RANDOM), because
// only small parts of f are read. It is a hint: if it is refused, reads are only
// slower.
func RandomAccess(f File) {
	if can, ok := f.(interface{ RandomAccess() }); ok {
		can.RandomAccess()
	}
}

// RandomAccess implements [RandomAccess].
func (f *file) RandomAccess() {
	_ = f.do("fadvise", func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_RANDOM) })
}
