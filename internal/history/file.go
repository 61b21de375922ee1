package history

import (
	"io"

	"github.com/autonomyops/edged/internal/durable"
)

// OpenFile opens a file of evidence for reading. It opens only a regular file,
// never blocks, and does not change the access time.
func OpenFile(path string) (io.ReadCloser, error) {
	at, _, err := resolve(path)
	if isNotExist(err) {
		return nil, absent(path)
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	root, name, err := openParent(at)
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

// OpenTree opens a directory of evidence read-only. It need not hold a journal.
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
