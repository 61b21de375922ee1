package memfs

import (
	"math"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// blockSize is the unit in which space is taken and a crash keeps bytes.
const blockSize = 4096

// SetCapacity limits the disk to this many bytes of file data, rounded down to whole
// blocks of 4 KiB; a negative number means no limit. Existing data stays. Names and
// directories take no space.
func (m *FS) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Used returns the space of all files in bytes, including those that are unlinked but
// still open.
func (m *FS) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used * blockSize
}

// SetInodes limits the disk to this many files and directories, including the root; a
// negative number means no limit. Existing ones stay, and planting is not limited.
func (m *FS) SetInodes(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.maxInodes = n
}

// Inodes returns the number of files and directories, including the root and those
// that are unlinked but still open.
func (m *FS) Inodes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inodes
}

// FreeSpace implements [durable.FreeSpace].
func (m *FS) FreeSpace() (space durable.Space, err error) {
	err = m.named(OpFreeSpace, ".", func() error {
		space = durable.Space{TotalBytes: math.MaxUint64, FreeBytes: math.MaxUint64, FreeInodes: math.MaxUint64}
		if m.capacity >= 0 {
			space.TotalBytes = uint64(m.capacity)
			space.FreeBytes = uint64(max(0, m.capacity/blockSize-m.used)) * blockSize
		}
		if m.maxInodes >= 0 {
			space.FreeInodes = uint64(max(0, m.maxInodes-m.inodes))
		}
		return nil
	})
	return space, err
}

// newName resolves a name for a new file or directory. It fails if the disk has no
// inode left.
func (m *FS) newName(name string) (dir *inode, base string, err error) {
	dir, base, err = m.vacant(name)
	if err == nil && m.maxInodes >= 0 && m.inodes >= m.maxInodes {
		err = syscall.ENOSPC
	}
	return dir, base, err
}

// reserve takes the blocks for [off, off+length). It returns how many bytes, from off,
// have room, with ENOSPC if not all do.
func (m *FS) reserve(n *inode, off, length int) (int, error) {
	if length == 0 {
		return 0, nil
	}
	last := (off + length - 1) / blockSize
	for len(n.alloc) <= last {
		n.alloc = append(n.alloc, false)
	}
	for b := off / blockSize; b <= last; b++ {
		if n.alloc[b] {
			continue
		}
		if m.capacity >= 0 && (m.used+1)*blockSize > m.capacity {
			return max(0, b*blockSize-off), syscall.ENOSPC
		}
		n.alloc[b] = true
		m.used++
	}
	return length, nil
}

// cut frees the blocks after size.
func (m *FS) cut(n *inode, size int) {
	keep := min(blocksOf(size), len(n.alloc))
	for _, taken := range n.alloc[keep:] {
		if taken {
			m.used--
		}
	}
	n.alloc = n.alloc[:keep:keep]
}

// reclaim frees a file that has neither a name nor an open handle.
func (m *FS) reclaim(n *inode) {
	if n.nlink == 0 && n.opens == 0 {
		m.cut(n, 0)
		m.inodes--
	}
}
