package memfs

import "syscall"

// blockSize is the unit in which space is taken, in bytes.
const blockSize = 4096

// SetCapacity limits the disk to so many bytes of file data, rounded down to
// whole blocks of 4 KiB; a negative number means no limit. What is already
// there stays. Names and directories take no space.
func (m *FS) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Used is the space that files take, in bytes, with those that are unlinked
// but still open.
func (m *FS) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used * blockSize
}

// reserve takes the blocks for [off, off+length) and reports how many bytes
// of it, from off, there is room for, with ENOSPC when not for all.
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

// cut gives back the blocks behind size.
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
	}
}
