package store

import (
	"bytes"
	"io"
	"path"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable"
)

// ghost is a file that exists in memory only: an OPTIONS or temporary
// file, or anything created after a fault.
type ghost struct {
	vfs.File // nil: the methods below are all that is called
	name     string
	mu       sync.Mutex
	b        []byte
}

func (s *files) newGhost(name string) *ghost {
	g := &ghost{name: name}
	s.mu.Lock()
	s.ghosts[name] = g
	s.mu.Unlock()
	return g
}

func (g *ghost) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.b = append(g.b, p...)
	return len(p), nil
}

func (g *ghost) Preallocate(int64, int64) error { return nil }
func (g *ghost) Sync() error                    { return nil }
func (g *ghost) SyncData() error                { return nil }
func (g *ghost) SyncTo(int64) (bool, error)     { return false, nil }
func (g *ghost) Close() error                   { return nil }
func (g *ghost) Prefetch(int64, int64) error    { return nil }
func (g *ghost) Fd() uintptr                    { return vfs.InvalidFd }

func (g *ghost) Stat() (vfs.FileInfo, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fileInfo{durable.Info{Name: path.Base(g.name), Size: int64(len(g.b)), Mode: 0o640, Nlink: 1}}, nil
}

// ghostReader reads a ghost from its beginning.
type ghostReader struct {
	*ghost
	off int64
}

func (r *ghostReader) Read(p []byte) (int, error) {
	n, err := r.ReadAt(p, r.off)
	r.off += int64(n)
	if n > 0 && err == io.EOF {
		err = nil
	}
	return n, err
}

func (r *ghostReader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.NewReader(r.b).ReadAt(p, off)
}
