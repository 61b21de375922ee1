package journal

import (
	"path"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable"
)

// logFile is a write-ahead log. It is made on disk at its first write, so
// that a journal that was opened and not appended to is left as it was, and
// its name is made durable together with its first bytes.
type logFile struct {
	vfs.File // nil: Pebble only writes, syncs and closes a new log
	s        *store
	name     string
	f        *openFile // nil until the first write
}

func (l *logFile) Write(p []byte) (int, error) {
	if l.s.isSealed() {
		return len(p), nil
	}
	if l.f == nil {
		if err := l.s.markAppending(path.Dir(l.name)); err != nil {
			return 0, err
		}
		f, err := l.s.create(l.name)
		if err != nil {
			return 0, err
		}
		if f == nil {
			return len(p), nil
		}
		l.f = &openFile{s: l.s, f: f, name: l.name}
	}
	return l.f.Write(p)
}

// Sync makes the bytes durable, then the name.
func (l *logFile) Sync() error {
	if l.f == nil {
		return nil
	}
	if err := l.f.SyncData(); err != nil {
		return err
	}
	return l.s.syncNames(path.Dir(l.name))
}

func (l *logFile) SyncData() error              { return l.Sync() }
func (l *logFile) SyncTo(int64) (bool, error)   { return false, nil }
func (l *logFile) Preallocate(_, _ int64) error { return nil }
func (l *logFile) Prefetch(_, _ int64) error    { return nil }
func (l *logFile) Fd() uintptr                  { return vfs.InvalidFd }

func (l *logFile) Stat() (vfs.FileInfo, error) {
	if l.f == nil {
		return fileInfo{durable.Info{Name: path.Base(l.name), Mode: fileMode, Nlink: 1}}, nil
	}
	return l.f.Stat()
}

func (l *logFile) Close() error {
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}

// removeLogs removes every log; the caller knows that they are flushed.
func (s *store) removeLogs(dir string) error {
	names, err := s.List(dir)
	if err != nil {
		return err
	}
	if slices.Contains(names, appendingName) {
		if err := s.unmarkAppending(dir); err != nil {
			return err
		}
	}
	for _, n := range names {
		if !isLog(n) {
			continue
		}
		if err := s.fs.Remove(path.Join(dir, n)); err != nil {
			return err
		}
	}
	return nil
}
