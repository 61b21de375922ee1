package historytest

import (
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
)

// Unflushed is a filesystem whose flushes do nothing: tests without a power cut
// need none, and are faster.
type Unflushed struct{ durable.FS }

// SyncDir implements [durable.FS].
func (Unflushed) SyncDir(string) error { return nil }

// Open implements [durable.FS].
func (u Unflushed) Open(name string) (durable.File, error) { return unflushed(u.FS.Open(name)) }

// OpenWrite implements [durable.FS].
func (u Unflushed) OpenWrite(name string) (durable.File, error) {
	return unflushed(u.FS.OpenWrite(name))
}

// Create implements [durable.FS].
func (u Unflushed) Create(name string, perm fs.FileMode) (durable.File, error) {
	return unflushed(u.FS.Create(name, perm))
}

type unflushedFile struct{ durable.File }

func unflushed(f durable.File, err error) (durable.File, error) {
	if err != nil {
		return nil, err
	}
	return unflushedFile{f}, nil
}

func (unflushedFile) Sync() error     { return nil }
func (unflushedFile) Datasync() error { return nil }
