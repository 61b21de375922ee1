package durable

import (
	"fmt"

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
	var sf unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(r.Fd(), &sf) }); err != nil {
		return Filesystem{}, r.fail("statfs", ".", err)
	}
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstat(r.Fd(), &st) }); err != nil {
		return Filesystem{}, r.fail("statfs", ".", err)
	}
	unit := uint64(sf.Frsize)
	if unit == 0 { // kernels before 2.6 and some FUSE servers
		unit = uint64(sf.Bsize)
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
