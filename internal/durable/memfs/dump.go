package memfs

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
)

// Dump describes every path below the root as calls see it: its mode and, for a file,
// its size and the SHA-256 of its bytes. Two disks have the same content if their
// dumps are equal. It is no operation: no hook sees it.
func (m *FS) Dump() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	dump := map[string]string{}
	m.root.dump(".", dump)
	return dump
}

func (n *inode) dump(at string, dump map[string]string) {
	for base, e := range n.entries {
		name := path.Join(at, base)
		if e.mode.IsDir() || e.mode.IsRegular() {
			dump[name] = describe(e.mode, e.data.bytes())
		} else {
			dump[name] = e.mode.String()
		}
		e.dump(name, dump)
	}
}

func describe(mode fs.FileMode, data []byte) string {
	if mode.IsDir() {
		return mode.String()
	}
	return fmt.Sprintf("%s %d %x", mode, len(data), sha256.Sum256(data))
}

// Tree is [FS.Dump] for any [durable.FS], which uses its operations.
func Tree(fsys durable.FS) (map[string]string, error) {
	dump := map[string]string{}
	return dump, walk(fsys, ".", dump)
}

func walk(fsys durable.FS, dir string, dump map[string]string) error {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name)
		switch {
		case e.IsDir():
			dump[name] = describe(e.Mode, nil)
			err = walk(fsys, name, dump)
		case e.Mode.IsRegular():
			dump[name], err = describeFile(fsys, name, e.Mode)
		default:
			dump[name] = e.Mode.String()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func describeFile(fsys durable.FS, name string, mode fs.FileMode) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // nothing was written
	data, err := io.ReadAll(f)
	return describe(mode, data), err
}
