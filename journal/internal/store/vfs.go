package store

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable"
)

// files is the vfs.FS that Pebble sees: markers, manifests and tables on a
// durable.FS with errors caught (see fault), everything else in memory. That is
// OPTIONS, which Pebble reads only to compare options that are constants of this
// package, and LOCK, because the gate's lock is on the state root.
//
// A directory whose names have not changed since its last sync is not synced
// again; neither is a file that was not written since. Other rules are stricter
// than Pebble needs on the filesystems that it knows:
//
//   - Files are removed only after a manifest that this process wrote is durable
//     under its name: a crash may still lose that manifest, and the older one
//     needs the files.
//   - A marker is made after the name of the manifest that it names is
//     durable, and the old marker is removed after the new one is.
//   - A reader keeps every table open that it has opened, because a settling on a
//     live node may remove it: an unlinked file stays readable.
type files struct {
	vfs.FS // in memory; also serves the methods that Pebble never calls here
	disk   durable.FS
	dir    string
	fault  *fault
	ro     bool

	mu      sync.Mutex
	dirty   bool                 // names changed since the last sync of dir
	pinned  map[string]*openFile // the tables of a reader
	moved   bool                 // a manifest marker was made
	durable bool                 // that marker is durable
	later   []string             // removals that wait until then

	invented []string // names that a salvage adds to what is listed
}

func newFiles(fsys durable.FS, dir string, readOnly bool) *files {
	memory := vfs.NewMem()
	_ = memory.MkdirAll(dir, 0) // in memory nothing fails
	return &files{FS: memory, disk: fsys, dir: dir, fault: newFault(), ro: readOnly, pinned: map[string]*openFile{}}
}

// change runs a mutation. A failure is recorded and not returned; after one,
// change does nothing.
func (fl *files) change(what, name string, do func() error) error {
	if fl.ro {
		return &fs.PathError{Op: what, Path: name, Err: syscall.EROFS}
	}
	if fl.fault.happened() {
		return nil
	}
	if err := do(); err != nil {
		fl.fault.record(what, name, err)
	}
	return nil
}

// Create implements vfs.FS. After a fault every new file is in memory.
func (fl *files) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if !shown(path.Base(name)) {
		return fl.FS.Create(name, c)
	}
	if isMarker(name) {
		// Pebble makes the marker durable together with the manifest's name;
		// a crash might then keep only one of them.
		if err := fl.syncNames(); err != nil {
			return nil, err
		}
	}
	var f durable.File
	err := fl.change("create", name, func() (err error) {
		// An existing file is never replaced. Pebble uses no name twice, unless
		// somebody planted a name that makes its numbers begin again.
		f, err = fl.disk.Create(name, 0o640)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f == nil {
		return fl.FS.Create(name, c)
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.dirty = true
	fl.moved = fl.moved || isCurrent(name)
	fl.later = slices.DeleteFunc(fl.later, func(n string) bool { return n == name })
	return &openFile{s: fl, f: f, name: name}, nil
}

// Open implements vfs.FS.
func (fl *files) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if f, err := fl.FS.Open(name, opts...); err == nil || !shown(path.Base(name)) {
		return f, err
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if f := fl.pinned[name]; f != nil {
		return pinnedFile{f}, nil
	}
	disk, err := fl.disk.Open(name)
	if err != nil {
		return nil, err
	}
	f := &openFile{s: fl, f: disk, name: name}
	if fl.ro && isTable(name) {
		fl.pinned[name] = f
		return pinnedFile{f}, nil
	}
	return f, nil
}

// pinnedFile is one use of a file that stays open.
type pinnedFile struct{ *openFile }

// Close leaves the file open.
func (pinnedFile) Close() error { return nil }

// unpin closes the tables that were kept open.
func (fl *files) unpin() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	for name, p := range fl.pinned {
		_ = p.f.Close() // nothing was written
		delete(fl.pinned, name)
	}
}

// Remove implements vfs.FS.
func (fl *files) Remove(name string) error {
	if !shown(path.Base(name)) {
		return fl.FS.Remove(name)
	}
	fl.mu.Lock()
	wait := (!fl.durable || isMarker(name)) && !fl.ro
	if wait {
		fl.later = append(fl.later, name)
	}
	fl.mu.Unlock()
	if wait {
		return nil
	}
	return fl.unlink(name)
}

// unlink removes a file. The removal need not be durable: a file that comes back
// after a crash is obsolete, and is removed again.
func (fl *files) unlink(name string) error {
	var gone error
	err := fl.change("remove", name, func() error {
		err := fl.disk.Remove(name)
		if errors.Is(err, fs.ErrNotExist) {
			gone, err = err, nil
		}
		return err
	})
	return errors.Join(err, gone)
}

// syncDir makes the names durable once this process has written a manifest
// marker. Before, nothing needs the new names: Create syncs them before it makes
// that marker.
func (fl *files) syncDir() error {
	fl.mu.Lock()
	wait := !fl.moved
	fl.mu.Unlock()
	if wait {
		return nil
	}
	return fl.syncNames()
}

// syncNames makes the names durable now, and then does the removals that waited
// for it.
func (fl *files) syncNames() error {
	fl.mu.Lock()
	clean := fl.ro || fl.fault.happened() || !fl.dirty
	fl.dirty = fl.dirty && clean
	fl.mu.Unlock()
	if clean {
		return nil
	}
	err := fl.change("sync directory", fl.dir, func() error { return fl.disk.SyncDir(fl.dir) })
	if err != nil || fl.fault.happened() {
		return err
	}
	fl.mu.Lock()
	var now []string
	if fl.moved {
		fl.durable, now, fl.later = true, fl.later, nil
	}
	fl.mu.Unlock()
	for _, n := range now {
		if err := fl.unlink(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// List implements vfs.FS. It does not list files in memory: Pebble does not look
// for them.
func (fl *files) List(dir string) ([]string, error) {
	names, err := durable.Names(fl.disk, dir)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !shown(n) })
	return append(names, fl.invented...), nil
}

// Stat implements vfs.FS.
func (fl *files) Stat(name string) (vfs.FileInfo, error) {
	if info, err := fl.FS.Stat(name); err == nil || !shown(path.Base(name)) {
		return info, err
	}
	i, err := fl.disk.Lstat(name)
	if err != nil {
		return nil, err
	}
	return fileInfo{i}, nil
}

// OpenDir implements vfs.FS.
func (fl *files) OpenDir(name string) (vfs.File, error) {
	if _, err := fl.disk.Lstat(name); err != nil {
		return nil, err
	}
	return &openDir{s: fl}, nil
}
