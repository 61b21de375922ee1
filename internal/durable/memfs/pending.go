package memfs

// edit replaces before by after under one name; nil is "no such name".
type edit struct {
	dir           *inode
	name          string
	before, after *inode
}

// change is one operation on names, kept or lost as a whole: one edit, or the two of a
// rename.
type change struct {
	edits []edit
	needs []*change // earlier changes without which this one is never kept
}

// change applies an operation to the volatile tree and records it as not durable yet.
func (m *FS) change(edits ...edit) {
	c := &change{edits: edits}
	for _, earlier := range m.pending {
		if c.buildsOn(earlier) {
			c.needs = append(c.needs, earlier)
		}
	}
	m.pending = append(m.pending, c)
	for _, e := range edits {
		e.dir.modTime = m.now()
		if e.before != nil {
			delete(e.dir.entries, e.name)
			e.before.nlink--
		}
		if e.after != nil {
			e.dir.entries[e.name] = e.after
			if len(edits) > 1 { // moved; a new one already counts its name
				e.after.nlink++
			}
			if e.after.mode.IsDir() {
				e.after.parent = e.dir
			}
		}
	}
	for _, e := range edits {
		if e.before != nil {
			m.reclaim(e.before)
		}
	}
}

// buildsOn reports whether c cannot be kept without earlier. It is called before c is
// applied.
func (c *change) buildsOn(earlier *change) bool {
	for _, e := range c.edits {
		for _, p := range earlier.edits {
			switch {
			case p.dir == e.dir && p.name == e.name:
				return true
			case p.dir == e.before && len(c.edits) == 1, p.dir == e.before && e.after != nil:
				// A directory is removed: moves out of it must be kept first.
				return true
			case len(c.edits) > 1 && p.after != nil && p.after.mode.IsDir() && within(e.dir, p.after):
				// A move into (or out of) a directory whose own name is new.
				return true
			}
		}
	}
	return c.movesDirectory() && earlier.movesDirectory()
}

// movesDirectory reports whether c moves a directory to another one. Such
// moves are kept in order, or two of them could make a directory its own child.
func (c *change) movesDirectory() bool {
	return len(c.edits) == 2 && c.edits[0].dir != c.edits[1].dir && c.edits[1].after.mode.IsDir()
}

// apply makes c durable, after the changes on which it builds.
func (c *change) apply(done map[*change]bool) {
	if done[c] {
		return
	}
	done[c] = true
	for _, n := range c.needs {
		n.apply(done)
	}
	for _, e := range c.edits {
		if e.after == nil {
			delete(e.dir.durNames, e.name)
		} else {
			e.dir.durNames[e.name] = e.after
		}
	}
}

// flushNames makes every change of a name in dir durable.
func (m *FS) flushNames(dir *inode) {
	done := map[*change]bool{}
	for _, c := range m.pending {
		for _, e := range c.edits {
			if e.dir == dir {
				c.apply(done)
			}
		}
	}
	left := m.pending[:0:0]
	for _, c := range m.pending {
		if done[c] {
			c.needs = nil
			continue
		}
		// Durable changes are not needed any more. Dropping them also frees a chain
		// that would otherwise grow with the disk's whole history.
		needs := c.needs[:0:0]
		for _, n := range c.needs {
			if !done[n] {
				needs = append(needs, n)
			}
		}
		c.needs = needs
		left = append(left, c)
	}
	m.pending = left
}
