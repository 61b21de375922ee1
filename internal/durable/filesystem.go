package durable

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// Filesystem describes the filesystem that a root lies on.
type Filesystem struct {
	Magic    uint32 // statfs(2) f_type
	Name     string // as mount(8) knows it; "0x…" of Magic where that is not known. ext2, ext3 and ext4 share a magic and are all "ext4"
	Total    uint64 // bytes
	Free     uint64 // bytes an unprivileged writer may still use
	Device   uint64 // st_dev of the root directory
	ReadOnly bool   // mounted read-only
}

// Statfs describes the filesystem of the root directory.
func (r *Root) Statfs() (Filesystem, error) {
	sf, unit, err := r.statfs()
	if err != nil {
		return Filesystem{}, err
	}
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(r.Fd(), &st) }); err != nil {
		return Filesystem{}, r.fail("statfs", ".", err)
	}
	return Filesystem{
		Magic:    uint32(sf.Type),
		Name:     filesystemName(uint32(sf.Type)),
		Total:    sf.Blocks * unit,
		Free:     sf.Bavail * unit,
		Device:   st.Dev,
		ReadOnly: sf.Flags&unix.ST_RDONLY != 0,
	}, nil
}

// statfs calls fstatfs(2) for the root directory. unit is the size of the
// blocks that it counts, in bytes.
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

// Space is what a filesystem has left for this process. math.MaxUint64 means
// that the filesystem does not say or has no limit.
type Space struct {
	FreeBytes  uint64 // without the blocks reserved for the superuser
	FreeInodes uint64 // new files and directories
}

// FreeSpace returns what may still be written to fsys. An FS without a
// FreeSpace method has no limit.
func FreeSpace(fsys FS) (Space, error) {
	if can, ok := fsys.(interface{ FreeSpace() (Space, error) }); ok {
		return can.FreeSpace()
	}
	return Space{FreeBytes: math.MaxUint64, FreeInodes: math.MaxUint64}, nil
}

// FreeSpace is what [FreeSpace] asks for. A quota is not counted.
func (r *Root) FreeSpace() (Space, error) {
	sf, unit, err := r.statfs()
	if err != nil {
		return Space{}, err
	}
	return spaceOf(sf, unit), nil
}

// spaceOf reads a total of 0 as "does not say": btrfs and vfat report no
// inodes, a tmpfs without limits neither blocks nor inodes.
func spaceOf(sf unix.Statfs_t, unit uint64) Space {
	space := Space{FreeBytes: math.MaxUint64, FreeInodes: math.MaxUint64}
	if sf.Blocks > 0 {
		space.FreeBytes = sf.Bavail * unit
	}
	if sf.Files > 0 {
		space.FreeInodes = sf.Ffree
	}
	return space
}

// CheckWritable reports whether this process may create names in the root
// directory, without trying: nil, or an error that is syscall.EACCES or
// syscall.EROFS.
func (r *Root) CheckWritable() error {
	if r.readOnly {
		return r.refuse("access", ".")
	}
	err := retry(func() error { return unix.Faccessat(r.Fd(), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS) })
	if err != nil {
		return r.fail("access", ".", err)
	}
	return nil
}

// filesystemName is a switch and not a map, which each boot would pay for.
func filesystemName(magic uint32) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.F2FS_SUPER_MAGIC:
		return "f2fs"
	case 0x2fc12fc1:
		return "zfs"
	case 0xca451a4e:
		return "bcachefs"
	case 0x24051905:
		return "ubifs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	case unix.RAMFS_MAGIC:
		return "ramfs"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.MSDOS_SUPER_MAGIC:
		return "vfat"
	case unix.EXFAT_SUPER_MAGIC:
		return "exfat"
	case 0x7366746e:
		return "ntfs3"
	case unix.SQUASHFS_MAGIC:
		return "squashfs"
	case unix.EROFS_SUPER_MAGIC_V1:
		return "erofs"
	case unix.ISOFS_SUPER_MAGIC:
		return "iso9660"
	case unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "cifs"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.JFFS2_SUPER_MAGIC:
		return "jffs2"
	case unix.NILFS_SUPER_MAGIC:
		return "nilfs2"
	case unix.REISERFS_SUPER_MAGIC:
		return "reiserfs"
	case unix.ECRYPTFS_SUPER_MAGIC:
		return "ecryptfs"
	case unix.CRAMFS_MAGIC:
		return "cramfs"
	}
	return fmt.Sprintf("0x%x", magic)
}
