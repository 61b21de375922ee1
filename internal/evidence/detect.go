package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
)

// zstdMagic begins a Zstandard frame, as an audit bundle does.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// Detect says what lies at path, without opening its journal. The first
// result is the path with its links resolved. A directory that holds a journal
// that cannot be used is still one: saying so is for who opens it.
func Detect(path string) (at string, kind Kind, err error) {
	at, info, err := resolve(path)
	switch {
	case isNotExist(err):
		return "", "", absent(path)
	case err != nil:
		return "", "", unreadable(path, err)
	case info.Mode().IsRegular():
		kind, err := detectFile(path, at)
		return at, kind, err
	case info.IsDir():
		kind, err := detectDir(path, at)
		return at, kind, err
	}
	return "", "", notEvidence(path, "it is a "+describe(info.Mode()))
}

func detectFile(path, at string) (Kind, error) {
	root, name, err := beside(at)
	if err != nil {
		return "", unreadable(path, err)
	}
	defer root.Close() //nolint:errcheck // read-only
	f, err := root.Open(name)
	if err != nil {
		return "", unreadable(path, err)
	}
	defer f.Close() //nolint:errcheck // read-only
	head := make([]byte, 4)
	n, _ := f.ReadAt(head, 0) // what cannot be read here is reported by who opens it
	head = head[:n]
	switch {
	case bytes.Equal(head, zstdMagic):
		return Bundle, nil // what is in it is seen when it is opened
	case n > 0 && head[0] != '{':
		return "", notEvidence(path, "it does not begin with a record")
	case n == 0:
		return "", notEvidence(path, "it is empty")
	}
	return Export, nil
}

func detectDir(path, at string) (Kind, error) {
	root, err := durable.OpenRootReadOnly(at)
	if err != nil {
		return "", unreadable(path, err)
	}
	defer root.Close() //nolint:errcheck // read-only
	names, err := root.ReadDir(".")
	if err != nil {
		return "", unreadable(path, err)
	}
	layout := false
	for _, n := range names {
		switch {
		case n.Name == stateroot.Journal && n.IsDir():
			return StateRoot, nil
		case n.Name == stateroot.Bootstrap && n.IsDir():
			layout = true
		case !n.IsDir() && ofJournal(n.Name):
			return Directory, nil
		}
	}
	if layout {
		return StateRoot, nil // before its first boot, or with its journal gone
	}
	return "", notEvidence(path, "it holds no journal")
}

// ofJournal reports whether a journal directory has files of such a name. Any
// one of them will do: a directory with some of them missing is a damaged
// journal, and not something else.
func ofJournal(name string) bool {
	return name == journal.TailName || strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "MANIFEST-") ||
		filepath.Ext(name) == ".sst" && strings.Trim(strings.TrimSuffix(name, ".sst"), "0123456789") == ""
}

// beside opens the directory that a file lies in, so that the file is read as
// all evidence is: regular files only, never blocking, access time left alone.
func beside(at string) (*durable.Root, string, error) {
	root, err := durable.OpenRootReadOnly(filepath.Dir(at))
	return root, filepath.Base(at), err
}

func describe(m os.FileMode) string {
	switch {
	case m&os.ModeNamedPipe != 0:
		return "FIFO"
	case m&os.ModeSocket != 0:
		return "socket"
	case m&os.ModeDevice != 0:
		return "device"
	}
	return m.Type().String()
}
