package store

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable"
)

// files is the vfs.FS that Pebble sees: a durable.FS with errors caught (see
// fault), and with the needless syncs of a short-lived process left out, each
// for a stated reason:
//
//   - A directory none of whose names changed since its last sync, and a file
//     that was not written since, are not synced again.
//   - What is not a marker, a manifest or a table stays in memory. Pebble reads
//     an OPTIONS file only to compare options that are constants of this package.
//   - LOCK is not made: the gate holds a lock on the state root.
//
// Other things are stricter than Pebble needs on the filesystems it knows:
//
//   - Files are removed only after a manifest that this process wrote is
//     durable under its name: what is obsolete to a manifest that a crash may
//     yet lose might still be needed.
//   - A marker is made after the name of the manifest that it names is
//     durable, and the old marker is removed after the new one is.
type files struct {
	fs    durable.FS
	fault *fault
	ro    bool

	mu      sync.Mutex
	dirty   map[string]bool      // directories with names changed since their last sync
	ghosts  map[string]*ghost    // files that exist in memory only
	pinned  map[string]*openFile // kept open so that they stay readable when removed
	pinning bool
	moved   bool     // a manifest marker was made
	durable bool     // and is durable
	later   []string // removals that wait for that

	invented []string // names that a salvage adds to what is listed
}

var _ vfs.FS = (*files)(nil)

func newFiles(fsys durable.FS, readOnly bool) *files {
	return &files{fs: fsys, fault: newFault(), ro: readOnly,
		dirty: map[string]bool{}, ghosts: map[string]*ghost{}, pinned: map[string]*openFile{}}
}

// change runs a mutation. A failure is kept and hidden; after one, nothing
// more is done.
func (s *files) change(what, name string, do func() error) error {
	if s.ro {
		return &fs.PathError{Op: what, Path: name, Err: syscall.EROFS}
	}
	if s.fault.happened() {
		return nil
	}
	if err := do(); err != nil {
		s.fault.record(what, name, err)
	}
	return nil
}

func (s *files) touched(name string) {
	s.mu.Lock()
	s.dirty[path.Dir(name)] = true
	s.mu.Unlock()
}

// Create implements vfs.FS.
func (s *files) Create(name string, _ vfs.DiskWriteCategory) (vfs.File, error) {
	if !shown(path.Base(name)) {
		return s.newGhost(name), nil
	}
	f, err := s.create(name)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return s.newGhost(name), nil
	}
	return &openFile{s: s, f: f, name: name}, nil
}

// create makes a file on disk; nil without an error after a fault.
func (s *files) create(name string) (durable.File, error) {
	if isMarker(name) {
		// Pebble makes the marker durable together with the manifest's name;
		// a crash may then keep the one without the other.
		if err := s.syncNames(path.Dir(name)); err != nil {
			return nil, err
		}
	}
	var f durable.File
	err := s.change("create", name, func() (err error) {
		if f, err = s.fs.Create(name, 0o640); errors.Is(err, fs.ErrExist) {
			if err = s.fs.Remove(name); err == nil {
				f, err = s.fs.Create(name, 0o640)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, nil
	}
	s.mu.Lock()
	s.dirty[path.Dir(name)] = true
	s.moved = s.moved || isCurrent(name)
	for i, n := range s.later {
		if n == name {
			s.later = append(s.later[:i], s.later[i+1:]...)
			break
		}
	}
	s.mu.Unlock()
	return f, nil
}

// Open implements vfs.FS.
func (s *files) Open(name string, _ ...vfs.OpenOption) (vfs.File, error) {
	s.mu.Lock()
	g, p := s.ghosts[name], s.pinned[name]
	pinning := s.pinning
	s.mu.Unlock()
	if g != nil {
		return &ghostReader{ghost: g}, nil
	}
	if p != nil {
		return &pinnedFile{openFile: p}, nil
	}
	if pinning && isTable(name) {
		return s.pin(name)
	}
	if !shown(path.Base(name)) {
		return nil, hidden("open", name)
	}
	f, err := s.fs.Open(name)
	if err != nil {
		return nil, err
	}
	return &openFile{s: s, f: f, name: name}, nil
}

// hidden is the answer for a file that Pebble is not shown.
func hidden(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Remove implements vfs.FS.
func (s *files) Remove(name string) error {
	s.mu.Lock()
	if _, ok := s.ghosts[name]; ok {
		delete(s.ghosts, name)
		s.mu.Unlock()
		return nil
	}
	if (!s.durable || isMarker(name)) && !s.ro {
		s.later = append(s.later, name)
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	return s.unlink(name)
}

// unlink removes a file. The removal need not be durable: what comes back is
// obsolete, and is removed again.
func (s *files) unlink(name string) error {
	var gone error
	err := s.change("remove", name, func() error {
		err := s.fs.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			gone, err = err, nil
		}
		return err
	})
	if err == nil {
		err = gone
	}
	return err
}

// Rename implements vfs.FS. Pebble renames OPTIONS files only.
func (s *files) Rename(oldname, newname string) error {
	s.mu.Lock()
	g := s.ghosts[oldname]
	if g != nil {
		delete(s.ghosts, oldname)
		s.ghosts[newname] = g
	}
	s.mu.Unlock()
	if g != nil {
		return nil
	}
	err := s.change("rename", oldname, func() error { return s.fs.Rename(oldname, newname) })
	s.touched(oldname)
	s.touched(newname)
	return err
}

// syncDir makes a directory's names durable. Until a manifest that this
// process wrote is current, nothing refers to a new name but logs, which sync
// for themselves, and the manifest to come, before whose marker they are
// synced in any case: so it waits.
func (s *files) syncDir(name string) error {
	s.mu.Lock()
	wait := !s.moved
	s.mu.Unlock()
	if wait {
		return nil
	}
	return s.syncNames(name)
}

// syncNames makes a directory's names durable now, and then does the removals
// that waited for that.
func (s *files) syncNames(name string) error {
	s.mu.Lock()
	if s.ro || s.fault.happened() || !s.dirty[name] {
		s.mu.Unlock()
		return nil
	}
	s.dirty[name] = false
	s.mu.Unlock()
	err := s.change("sync directory", name, func() error { return s.fs.SyncDir(name) })
	if err != nil || s.fault.happened() {
		return err
	}
	s.mu.Lock()
	var now []string
	if s.moved {
		s.durable, now, s.later = true, s.later, nil
	}
	s.mu.Unlock()
	for _, n := range now {
		if err := s.unlink(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// MkdirAll implements vfs.FS.
func (s *files) MkdirAll(dir string, _ fs.FileMode) error {
	if _, err := s.fs.Lstat(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := s.change("make directory", dir, func() error { return s.fs.Mkdir(dir, 0o750) })
	s.touched(dir)
	return err
}

// List implements vfs.FS. Files in memory are not listed: nothing looks for
// them.
func (s *files) List(dir string) ([]string, error) {
	names, err := durable.Names(s.fs, dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !shown(n) })
	return append(names, s.invented...), nil
}

// Stat implements vfs.FS.
func (s *files) Stat(name string) (vfs.FileInfo, error) {
	s.mu.Lock()
	g := s.ghosts[name]
	s.mu.Unlock()
	if g != nil {
		return g.Stat()
	}
	i, err := s.fs.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !i.IsDir() && !shown(path.Base(name)) {
		return nil, hidden("stat", name)
	}
	return fileInfo{i}, nil
}

// OpenDir implements vfs.FS.
func (s *files) OpenDir(name string) (vfs.File, error) {
	if _, err := s.fs.Lstat(name); err != nil {
		return nil, err
	}
	return &openDir{s: s, name: name}, nil
}

// Lock implements vfs.FS without a lock: the gate's is on the state root.
func (s *files) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// ReuseForWrite implements vfs.FS.
func (s *files) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := s.Remove(oldname); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s.Create(newname, c)
}

// What Pebble does not use here.

// Link implements vfs.FS.
func (s *files) Link(oldname, _ string) error {
	return &fs.PathError{Op: "link", Path: oldname, Err: errors.ErrUnsupported}
}

// OpenReadWrite implements vfs.FS.
func (s *files) OpenReadWrite(name string, _ vfs.DiskWriteCategory, _ ...vfs.OpenOption) (vfs.File, error) {
	return nil, &fs.PathError{Op: "open for writing", Path: name, Err: errors.ErrUnsupported}
}

// RemoveAll implements vfs.FS.
func (s *files) RemoveAll(name string) error {
	return &fs.PathError{Op: "remove all", Path: name, Err: errors.ErrUnsupported}
}

// GetDiskUsage implements vfs.FS. Pebble only paces deletions by it.
func (s *files) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{}, vfs.ErrUnsupported
}

// PathBase, PathJoin, PathDir and Unwrap implement vfs.FS.
func (s *files) PathBase(p string) string       { return path.Base(p) }
func (s *files) PathJoin(elem ...string) string { return path.Join(elem...) }
func (s *files) PathDir(p string) string        { return path.Dir(p) }
func (s *files) Unwrap() vfs.FS                 { return nil }
