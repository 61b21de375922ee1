package memfs

import (
	"io/fs"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// PlantSymlink puts a symbolic link at name, durably, as an attacker or an
// operator would. The target is only text: nothing here follows it.
func (m *FS) PlantSymlink(name, target string) error {
	return m.plant("symlink", name, fs.ModeSymlink|0o777, target)
}

// PlantFIFO puts a FIFO at name, durably.
func (m *FS) PlantFIFO(name string) error {
	return m.plant("mkfifo", name, fs.ModeNamedPipe|0o644, "")
}

// PlantDevice puts a character device at name, durably.
func (m *FS) PlantDevice(name string) error {
	return m.plant("mknod", name, fs.ModeDevice|fs.ModeCharDevice|0o644, "")
}

func (m *FS) plant(op, name string, mode fs.FileMode, text string) error {
	if err := durable.CheckName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.vacant(name)
	if err != nil {
		return pathError(op, name, err)
	}
	n := m.newInode(mode)
	n.data, n.durData = newBlob([]byte(text)), newBlob([]byte(text))
	m.change(edit{dir: dir, name: base, after: n})
	m.flushNames(dir)
	return nil
}

// PlantHardlink adds a second name to the file oldname, durably. The bytes stay as
// durable as they were.
func (m *FS) PlantHardlink(oldname, newname string) error {
	if err := durable.CheckName(oldname); err != nil {
		return err
	}
	if err := durable.CheckName(newname); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n, _, err := m.find(oldname)
	if err != nil {
		return linkError("link", oldname, newname, err)
	}
	if n.mode.IsDir() {
		return linkError("link", oldname, newname, syscall.EPERM)
	}
	dir, base, err := m.vacant(newname)
	if err != nil {
		return linkError("link", oldname, newname, err)
	}
	n.nlink++
	m.change(edit{dir: dir, name: base, after: n})
	m.flushNames(dir)
	return nil
}

// SyncAll makes everything durable, for tests that prepare a disk. It is no operation:
// no hook sees it and none is counted.
func (m *FS) SyncAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	done := map[*change]bool{}
	for _, c := range m.pending {
		c.apply(done)
	}
	m.pending = nil
	seen := map[*inode]bool{}
	var visit func(n *inode)
	visit = func(n *inode) {
		if seen[n] {
			return
		}
		seen[n] = true
		n.durData, n.durMode, n.durOwner, n.pending = n.data.share(), n.mode, n.owner, nil
		for _, e := range n.entries {
			visit(e)
		}
	}
	visit(m.root)
}
