package memfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Keep is how much of the unflushed state a crash keeps.
type Keep int

// The values of Keep.
const (
	None   Keep = iota // nothing
	All                // everything, as if the power is cut just after the kernel wrote it all
	Random             // each change of names and each block of a write kept or not; blocks also torn
)

// Crash is a loss of power. The same Seed gives the same outcome.
type Crash struct {
	Keep Keep
	Seed uint64 // of Random
}

// Crash returns a new disk as the next boot finds it after a power cut now (or when
// [FS.Ghost] was first called). This disk does not change: its hook, operations and
// handles continue, and it may be crashed again with another outcome. The new disk has
// the same limits and no hook, and everything on it is durable.
//
// Under Random each change of names is kept or lost by itself, but never without those
// on which it builds. Of each write, each aligned 4 KiB block is kept, lost, or torn:
// only the bytes before, or only those after, some byte are kept. So several writes to
// one block may leave each state in between. If bytes are lost, the extension of the
// file may stay, with zeros.
func (m *FS) Crash(c Crash) *FS {
	disk := m.stopped()
	rng := rand.New(rand.NewPCG(c.Seed, 0x9e3779b97f4a7c15))
	disk.crashNames(c.Keep, rng)
	disk.crashFiles(c.Keep, rng)
	return disk
}

// crashNames decides which changes of names were written.
func (m *FS) crashNames(keep Keep, rng *rand.Rand) {
	// One crash loses much, another little: with even odds a long chain of changes
	// that build on each other would never be kept whole.
	odds := 2 << rng.IntN(4)
	done, lost := map[*change]bool{}, map[*change]bool{}
	for _, c := range m.pending {
		drop := keep == None || keep == Random && rng.IntN(odds) == 0
		for _, n := range c.needs {
			drop = drop || lost[n]
		}
		if drop {
			lost[c] = true
			continue
		}
		c.apply(done)
	}
	m.pending = nil
}

// crashFiles decides which changes of files were written, and makes the durable tree
// the one that calls see.
func (m *FS) crashFiles(keep Keep, rng *rand.Rand) {
	m.used, m.inodes = 0, 0
	seen := map[*inode]bool{}
	var visit func(n *inode)
	visit = func(n *inode) {
		n.nlink++
		if seen[n] {
			return
		}
		seen[n] = true
		m.inodes++
		n.opens = 0
		if !n.mode.IsDir() {
			m.crashFile(n, keep, rng)
			return
		}
		n.nlink = 1
		n.entries = maps.Clone(n.durNames)
		for _, name := range slices.Sorted(maps.Keys(n.entries)) {
			e := n.entries[name]
			if !seen[e] {
				e.nlink = 0
			}
			if e.mode.IsDir() {
				e.parent = n
			}
			visit(e)
		}
	}
	visit(m.root)
}

func (m *FS) crashFile(n *inode, keep Keep, rng *rand.Rand) {
	switch keep {
	case All: // not by replay: the newest volatile bytes
		n.durData, n.durMode, n.durOwner = n.data.share(), n.mode, n.owner
	default:
		for i := range n.pending {
			n.pending[i].crash(n, keep, rng)
		}
		n.data, n.mode, n.owner = n.durData.share(), n.durMode, n.durOwner
	}
	n.pending = nil
	m.occupy(n)
}

// crash decides how much of one change is kept.
func (d *dataOp) crash(n *inode, keep Keep, rng *rand.Rand) {
	switch {
	case d.flushed:
		d.apply(n)
	case keep == None:
	case d.kind != dataWrite:
		if rng.IntN(2) == 0 {
			d.apply(n)
		}
	default:
		d.tear(n, rng)
		// The size is metadata: it may have been written without the bytes.
		if end := d.off + len(d.bytes); end > n.durData.size && rng.IntN(2) == 0 {
			n.durData.resize(end)
		}
	}
}

// tear keeps a random part of a write that a crash can leave.
func (d *dataOp) tear(n *inode, rng *rand.Rand) {
	const (
		lost = iota
		kept
		before // a byte in the block
		after  // a byte in the block
	)
	// Large writes must sometimes be kept whole and sometimes be lost whole, which
	// is rare if each block is decided by itself.
	whole := rng.IntN(4)
	for at, end := 0, 0; at < len(d.bytes); at = end {
		end = min(len(d.bytes), at+blockSize-(d.off+at)%blockSize)
		fate := whole
		if whole != lost && whole != kept {
			fate = rng.IntN(4)
		}
		from, to := at, end
		switch fate {
		case lost:
			continue
		case before:
			to = at + rng.IntN(end-at)
		case after:
			from = at + rng.IntN(end-at)
		}
		if from < to {
			n.durData.write(d.bytes[from:to], d.off+from)
		}
	}
}

// occupy counts the blocks of a file after a crash: those that were allocated and are
// still within it. For bytes that were cut off or unlinked and came back, allocation is
// not known: there, zeros count as a hole.
func (m *FS) occupy(n *inode) {
	alloc := make([]bool, len(n.data.blocks))
	for b := range alloc {
		if b < len(n.alloc) {
			alloc[b] = n.alloc[b]
		} else {
			alloc[b] = n.data.blocks[b] != nil && *n.data.blocks[b] != block{}
		}
		if alloc[b] {
			m.used++
		}
	}
	n.alloc = alloc
}
