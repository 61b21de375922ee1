package store

import (
	"io"
	"io/fs"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable"
)

// openFile is a file on the disk. Pebble writes and syncs one file from one
// goroutine at a time.
type openFile struct {
	vfs.File // nil: the methods below are all that is called
	s        *files
	f        durable.File
	name     string
	dirty    bool // written since its last sync
}

func (f *openFile) Read(p []byte) (int, error)              { return f.f.Read(p) }
func (f *openFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// Write reports success after a fault.
func (f *openFile) Write(p []byte) (int, error) {
	f.dirty = true
	err := f.s.change("write", f.name, func() error {
		n, err := f.f.Write(p)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		return err
	})
	return len(p), err
}

// Preallocate does nothing: files are small and written once.
func (f *openFile) Preallocate(int64, int64) error { return nil }

// Sync does nothing if nothing was written since the last one.
func (f *openFile) Sync() error { return f.sync(f.f.Sync) }

// SyncData is Sync without the file's times.
func (f *openFile) SyncData() error { return f.sync(f.f.Datasync) }

// SyncTo does nothing, as its contract allows.
func (f *openFile) SyncTo(int64) (bool, error) { return false, nil }

func (f *openFile) sync(do func() error) error {
	if !f.dirty {
		return nil
	}
	f.dirty = false
	return f.s.change("sync", f.name, do)
}

// Close returns the kernel's error only to a reader; a writer's is recorded.
func (f *openFile) Close() error {
	err := f.f.Close()
	if err != nil && !f.s.ro {
		f.s.fault.record("close", f.name, err)
		return nil
	}
	return err
}

func (f *openFile) Stat() (vfs.FileInfo, error) {
	i, err := f.f.Stat()
	if err != nil {
		return nil, err
	}
	return fileInfo{i}, nil
}

func (f *openFile) Prefetch(int64, int64) error { return nil }
func (f *openFile) Fd() uintptr                 { return vfs.InvalidFd }

// openDir is the directory to sync. It holds no descriptor.
type openDir struct {
	vfs.File // nil: the methods below are all that is called
	s        *files
}

func (d *openDir) Sync() error     { return d.s.syncDir() }
func (d *openDir) SyncData() error { return d.s.syncDir() }
func (d *openDir) Close() error    { return nil }
func (d *openDir) Fd() uintptr     { return vfs.InvalidFd }

// fileInfo is a durable.Info as a vfs.FileInfo.
type fileInfo struct{ i durable.Info }

func (i fileInfo) Name() string           { return i.i.Name }
func (i fileInfo) Size() int64            { return i.i.Size }
func (i fileInfo) Mode() fs.FileMode      { return i.i.Mode }
func (i fileInfo) ModTime() time.Time     { return i.i.ModTime }
func (i fileInfo) IsDir() bool            { return i.i.IsDir() }
func (i fileInfo) Sys() any               { return nil }
func (i fileInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }
