package memfs

import (
	"io/fs"
	"time"

	"github.com/autonomyops/edged/internal/durable"
)

// device is the st_dev of every file here.
const device = 0xed6ed

// inode is a file, a directory, or something planted. Fields without "dur" are the
// volatile state, which calls see; those with it are the durable state.
type inode struct {
	ino      uint64
	mode     fs.FileMode // type and permissions
	durMode  fs.FileMode
	owner    owner
	durOwner owner
	modTime  time.Time
	nlink    uint64 // names in the volatile tree; of a directory 1 (0 once removed)
	opens    int    // open handles: an unlinked file keeps its blocks until the last is closed
	data     blob
	durData  blob
	pending  []dataOp // since the last flush, in order
	alloc    []bool   // per block of blockSize: occupied
	parent   *inode   // of a directory
	entries  map[string]*inode
	durNames map[string]*inode
}

// owner is the zero value, root's, until a Chown.
type owner struct{ uid, gid uint32 }

func (m *FS) newInode(mode fs.FileMode) *inode {
	m.lastIno++
	m.inodes++
	n := &inode{ino: m.lastIno, mode: mode, durMode: mode, modTime: m.now(), nlink: 1}
	if mode.IsDir() {
		n.entries = map[string]*inode{}
		n.durNames = map[string]*inode{}
	}
	return n
}

func (n *inode) info(name string) durable.Info {
	info := durable.Info{
		Name: name, Size: int64(n.data.size), Mode: n.mode, ModTime: n.modTime,
		Nlink: n.nlink, UID: n.owner.uid, GID: n.owner.gid, Dev: device, Ino: n.ino,
	}
	if n.mode.IsDir() { // as ext4 and xfs count
		info.Size, info.Nlink = blockSize, 2*n.nlink
		for _, e := range n.entries {
			if e.mode.IsDir() {
				info.Nlink++
			}
		}
	}
	return info
}
