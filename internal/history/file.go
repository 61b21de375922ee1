package history

import (
	"io"

	"github.com/autonomyops/edged/internal/durable"
)

// OpenFile opens a file of evidence for reading from its beginning: a regular
// file only, never blocking, its access time left alone.
func OpenFile(path string) (io.ReadCloser, error) {
	at, _, err := resolve(path)
	if isNotExist(err) {
		return nil, absent(path)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	root, name, err := beside(at)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer root.Close() //nolint:errcheck // read-only; the file stays open
	f, err := root.Open(name)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return f, nil
}

// OpenTree opens a directory of evidence, with or without a journal, read-only.
func OpenTree(path string) (*durable.Root, error) {
	at, _, err := resolve(path)
	if isNotExist(err) {
		return nil, absent(path)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	root, err := durable.OpenRootReadOnly(at)
	if err != nil {
		return nil, unreadable(path, err)
	}
	return root, nil
}
