package durable

import (
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// infoOf returns the Info for the result of stat(2).
func infoOf(name string, st *unix.Stat_t) Info {
	return Info{
		Name:    name,
		Size:    st.Size,
		Mode:    modeOf(st.Mode),
		ModTime: time.Unix(st.Mtim.Sec, st.Mtim.Nsec),
		Nlink:   uint64(st.Nlink), // 32 bits wide on arm64 and riscv64
		UID:     st.Uid,
		GID:     st.Gid,
		Dev:     st.Dev,
		Ino:     st.Ino,
	}
}

// modeOf translates st_mode: permission, set-id, sticky and type bits.
func modeOf(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	switch m & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	default:
		mode |= fs.ModeIrregular
	}
	return mode
}
