package memfs

import "slices"

// Clone returns an independent disk in the same state, durable and volatile,
// with the same limits, without a hook and with its count of operations at
// 0. Open handles stay with the original.
func (m *FS) Clone() *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	disk := m.clone()
	disk.dropHandles()
	return disk
}

// dropHandles frees the files that only open handles of the original held.
func (m *FS) dropHandles() {
	m.used, m.inodes = 0, 0
	seen := map[*inode]bool{}
	var visit func(n *inode)
	visit = func(n *inode) {
		if seen[n] {
			return
		}
		seen[n] = true
		m.inodes++
		n.opens = 0
		for _, taken := range n.alloc {
			if taken {
				m.used++
			}
		}
		for _, e := range n.entries {
			visit(e)
		}
	}
	visit(m.root)
}

// Restart returns a new disk as the next process of the same boot finds it after this
// one was killed now (or when [FS.Ghost] was first called): with every byte and name
// that calls see, and with unflushed changes still not durable. Bytes that a failed
// flush could not write stay readable, and no later flush writes them unless they are
// written again. The new disk has the same limits, no hook and no open handles. This
// disk does not change.
func (m *FS) Restart() *FS {
	disk := m.stopped()
	disk.dropHandles()
	return disk
}

// stopped copies the disk at the moment when its process stops. The copy has no process
// and is not dead.
func (m *FS) stopped() *FS {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := m
	if m.frozen != nil {
		from = m.frozen
	}
	disk := from.clone()
	disk.dead = false
	return disk
}

// clone copies the disk; m.mu is held.
func (m *FS) clone() *FS {
	c := cloner{nodes: map[*inode]*inode{}, changes: map[*change]*change{}}
	disk := &FS{
		root: c.node(m.root), lastIno: m.lastIno, capacity: m.capacity, used: m.used,
		maxInodes: m.maxInodes, inodes: m.inodes, dead: m.dead,
	}
	for _, p := range m.pending {
		disk.pending = append(disk.pending, c.change(p))
	}
	return disk
}

// cloner maps the originals to their copies.
type cloner struct {
	nodes   map[*inode]*inode
	changes map[*change]*change
}

func (c cloner) node(n *inode) *inode {
	if n == nil {
		return nil
	}
	if done := c.nodes[n]; done != nil {
		return done
	}
	twin := *n
	c.nodes[n] = &twin
	twin.data, twin.durData = n.data.share(), n.durData.share()
	twin.pending = slices.Clone(n.pending)
	twin.alloc = slices.Clone(n.alloc)
	twin.parent = c.node(n.parent)
	twin.entries = c.names(n.entries)
	twin.durNames = c.names(n.durNames)
	return &twin
}

func (c cloner) names(names map[string]*inode) map[string]*inode {
	if names == nil {
		return nil
	}
	twins := make(map[string]*inode, len(names))
	for name, n := range names {
		twins[name] = c.node(n)
	}
	return twins
}

func (c cloner) change(p *change) *change {
	if done := c.changes[p]; done != nil {
		return done
	}
	twin := &change{}
	c.changes[p] = twin
	for _, e := range p.edits {
		twin.edits = append(twin.edits, edit{dir: c.node(e.dir), name: e.name, before: c.node(e.before), after: c.node(e.after)})
	}
	for _, n := range p.needs {
		twin.needs = append(twin.needs, c.change(n))
	}
	return twin
}
