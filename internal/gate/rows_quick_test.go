package gate

import (
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
)

// quick gives a boot a state root on a real disk that is not waited for: the
// scenes lose no power, and flushing is what the time would go into. The crash
// matrix is where every flush counts.
func quick(h *Host) { h.OpenRoot = openQuick }

func openQuick(path string, opt stateroot.Options) (Root, error) {
	root, err := openLinuxRoot(path, opt)
	if err != nil {
		return nil, err
	}
	return quickRoot{root}, nil
}

type quickRoot struct{ Root }

func (q quickRoot) FS() durable.FS { return unflushed{q.Root.FS()} }

// unflushed is a disk whose flushes do nothing.
type unflushed struct{ durable.FS }

func (unflushed) SyncDir(string) error { return nil }

func (u unflushed) Open(name string) (durable.File, error) { return quickFile(u.FS.Open(name)) }

func (u unflushed) OpenWrite(name string) (durable.File, error) {
	return quickFile(u.FS.OpenWrite(name))
}

func (u unflushed) Create(name string, perm fs.FileMode) (durable.File, error) {
	return quickFile(u.FS.Create(name, perm))
}

type unflushedFile struct{ durable.File }

func quickFile(f durable.File, err error) (durable.File, error) {
	if err != nil {
		return nil, err
	}
	return unflushedFile{f}, nil
}

func (unflushedFile) Sync() error     { return nil }
func (unflushedFile) Datasync() error { return nil }
