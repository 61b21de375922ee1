package memfs

import (
	"cmp"
	"io/fs"
	"maps"
	"slices"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// Open implements [durable.FS].
func (m *FS) Open(name string) (durable.File, error) { return m.open(OpOpen, name, false) }

// OpenWrite implements [durable.FS].
func (m *FS) OpenWrite(name string) (durable.File, error) { return m.open(OpOpenWrite, name, true) }

func (m *FS) open(kind OpKind, name string, write bool) (f durable.File, err error) {
	err = m.named(kind, name, func() error {
		n, base, err := m.find(name)
		if err != nil {
			return err
		}
		if !n.mode.IsRegular() {
			return durable.NotRegularError(n.mode)
		}
		f = m.newFile(n, name, base, write)
		return nil
	})
	return dropOnError(f, err)
}

// Create implements [durable.FS].
func (m *FS) Create(name string, perm fs.FileMode) (f durable.File, err error) {
	err = m.named(OpCreate, name, func() error {
		if perm&^fs.ModePerm != 0 {
			return syscall.EINVAL
		}
		dir, base, err := m.newName(name)
		if err != nil {
			return err
		}
		n := m.newInode(perm)
		m.change(edit{dir: dir, name: base, after: n})
		f = m.newFile(n, name, base, true)
		return nil
	})
	return dropOnError(f, err)
}

// dropOnError closes a file whose opening fails in the end.
func dropOnError(f durable.File, err error) (durable.File, error) {
	if err == nil {
		return f, nil
	}
	if open, ok := f.(*file); ok {
		open.fs.mu.Lock()
		defer open.fs.mu.Unlock()
		open.release()
	}
	return nil, err
}

// Mkdir implements [durable.FS].
func (m *FS) Mkdir(name string, perm fs.FileMode) error {
	return m.named(OpMkdir, name, func() error {
		if perm&^fs.ModePerm != 0 {
			return syscall.EINVAL
		}
		dir, base, err := m.newName(name)
		if err != nil {
			return err
		}
		n := m.newInode(fs.ModeDir | perm)
		n.parent = dir
		m.change(edit{dir: dir, name: base, after: n})
		return nil
	})
}

// Remove implements [durable.FS].
func (m *FS) Remove(name string) error {
	return m.named(OpRemove, name, func() error {
		if name == "." {
			return syscall.EBUSY
		}
		dir, base, err := m.parent(name)
		if err != nil {
			return err
		}
		n, err := lookup(dir, base)
		if err != nil {
			return err
		}
		if len(n.entries) > 0 {
			return syscall.ENOTEMPTY
		}
		m.change(edit{dir: dir, name: base, before: n})
		return nil
	})
}

// Rename implements [durable.FS]. It checks in the order of Linux's rename(2), so that
// of several errors the same one is returned.
func (m *FS) Rename(oldname, newname string) error {
	err := durable.CheckName(oldname)
	if err == nil {
		err = durable.CheckName(newname)
	}
	if err != nil {
		return linkError("rename", oldname, newname, durable.ErrName)
	}
	after, err := m.enter(Op{Kind: OpRename, Name: oldname, New: newname})
	if err != nil {
		return linkError("rename", oldname, newname, err)
	}
	defer m.mu.Unlock()
	return linkError("rename", oldname, newname, cmp.Or(m.rename(oldname, newname), after))
}

func (m *FS) rename(oldname, newname string) error {
	from, oldBase, err := m.parent(oldname)
	if err != nil {
		return err
	}
	to, newBase, err := m.parent(newname)
	if err != nil {
		return err
	}
	if oldBase == "." || newBase == "." {
		return syscall.EBUSY
	}
	moved, err := lookup(from, oldBase)
	if err != nil {
		return err
	}
	replaced, err := lookup(to, newBase)
	switch {
	case err != nil && err != syscall.ENOENT:
		return err
	case from != to && within(to, moved):
		return syscall.EINVAL
	case from != to && replaced != nil && within(from, replaced):
		return syscall.ENOTEMPTY
	case moved == replaced: // the same name, or two links to one file
		return nil
	case replaced == nil:
	case moved.mode.IsDir() && !replaced.mode.IsDir():
		return syscall.ENOTDIR
	case !moved.mode.IsDir() && replaced.mode.IsDir():
		return syscall.EISDIR
	case len(replaced.entries) > 0:
		return syscall.ENOTEMPTY
	}
	m.change(
		edit{dir: from, name: oldBase, before: moved},
		edit{dir: to, name: newBase, before: replaced, after: moved},
	)
	return nil
}

// within reports whether dir is tree or below it.
func within(dir, tree *inode) bool {
	for ; dir != tree; dir = dir.parent {
		if dir.parent == dir {
			return false
		}
	}
	return true
}

// Lstat implements [durable.FS].
func (m *FS) Lstat(name string) (info durable.Info, err error) {
	err = m.named(OpLstat, name, func() error {
		n, base, err := m.find(name)
		if err == nil {
			info = n.info(base)
		}
		return err
	})
	if err != nil {
		return durable.Info{}, err
	}
	return info, nil
}

// ReadDir implements [durable.FS].
func (m *FS) ReadDir(name string) (infos []durable.Info, err error) {
	err = m.named(OpReadDir, name, func() error {
		dir, err := m.directory(name)
		if err != nil {
			return err
		}
		for _, base := range slices.Sorted(maps.Keys(dir.entries)) {
			infos = append(infos, dir.entries[base].info(base))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return infos, nil
}

// SyncDir implements [durable.FS].
func (m *FS) SyncDir(name string) error {
	return m.named(OpSyncDir, name, func() error {
		dir, err := m.directory(name)
		if err == nil {
			m.flushNames(dir)
		}
		return err
	})
}
