package durable

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// statfs calls fstatfs(2) for the root directory. unit is the size of its blocks in
// bytes.
func (r *Root) statfs() (sf unix.Statfs_t, unit uint64, err error) {
	if err := retry(func() error { return unix.Fstatfs(r.Fd(), &sf) }); err != nil {
		return sf, 0, r.fail("statfs", ".", err)
	}
	unit = uint64(sf.Frsize)
	if unit == 0 { // kernels before 2.6 and some FUSE servers
		unit = uint64(sf.Bsize)
	}
	return sf, unit, nil
}

// Space is the space of a filesystem. math.MaxUint64 means unknown or without limit.
type Space struct {
	TotalBytes uint64
	FreeBytes  uint64 // that this process may use; for the superuser with the reserved blocks
	FreeInodes uint64 // new files and directories
}

// FreeSpace returns the free space of fsys. An FS without a
// FreeSpace method has no limit.
func FreeSpace(fsys FS) (Space, error) {
	if can, ok := fsys.(interface{ FreeSpace() (Space, error) }); ok {
		return can.FreeSpace()
	}
	return Space{TotalBytes: math.MaxUint64, FreeBytes: math.MaxUint64, FreeInodes: math.MaxUint64}, nil
}

// FreeSpace implements [FreeSpace]. It ignores quotas.
func (r *Root) FreeSpace() (Space, error) {
	sf, unit, err := r.statfs()
	if err != nil {
		return Space{}, err
	}
	return spaceOf(sf, unit, os.Geteuid() == 0), nil
}

// spaceOf treats a total of 0 as unknown: btrfs and vfat report no inodes, a tmpfs
// without limits neither blocks nor inodes.
func spaceOf(sf unix.Statfs_t, unit uint64, superuser bool) Space {
	space := Space{TotalBytes: math.MaxUint64, FreeBytes: math.MaxUint64, FreeInodes: math.MaxUint64}
	if sf.Blocks > 0 {
		space.TotalBytes, space.FreeBytes = sf.Blocks*unit, sf.Bavail*unit
		if superuser {
			space.FreeBytes = sf.Bfree * unit
		}
	}
	if sf.Files > 0 {
		space.FreeInodes = sf.Ffree
	}
	return space
}
