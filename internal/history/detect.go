package history

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/stateroot"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// zstdMagic begins a Zstandard frame, as an audit bundle does.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// Detect returns the kind of history at path, and the path with its links
// resolved. It does not open the journal: a damaged one is reported by Open.
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
	root, name, err := openParent(at)
	if err != nil {
		return "", unreadable(path, err)
	}
	defer root.Close() //nolint:errcheck // read-only
	f, err := root.Open(name)
	if err != nil {
		return "", unreadable(path, err)
	}
	defer f.Close() //nolint:errcheck // read-only
	head := make([]byte, record.MaxLen+2)
	n, _ := f.ReadAt(head, 0) // a failure is reported when the history is opened
	if head = head[:n]; n == 0 {
		return "", notEvidence(path, "it is empty")
	}
	if isZstd(head) || isTar(head) {
		return Bundle, nil // its content is checked when it is opened
	}
	if err := changed(path, head); err != nil {
		return "", err
	}
	if head[0] != '{' {
		return "", notEvidence(path, "it does not begin with a record")
	}
	return Export, nil
}

// isZstd reports whether a file begins with a Zstandard frame, as an audit
// bundle does, or with a skippable one, which parallel compressors put first.
func isZstd(head []byte) bool {
	return bytes.HasPrefix(head, zstdMagic) || len(head) >= 4 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte{0x2a, 0x4d, 0x18})
}

// tarHead is how much of a file isTar looks at, in bytes.
const tarHead = 262

// isTar reports whether a file begins as a tar archive does.
func isTar(head []byte) bool {
	return len(head) >= tarHead && string(head[tarHead-5:tarHead]) == "ustar"
}

// changed returns an ErrChanged if another program has converted the file. Its
// content may be honest, but a verification needs the bytes that were written.
func changed(path string, head []byte) error {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	found, next := "", "copy it again in binary mode"
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		found, next = "it is compressed by gzip", "unpack it with gunzip"
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")), bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		found = "it begins with a byte-order mark: a program saved it as text"
	case bytes.HasSuffix(line, []byte("\r")) && len(line) < len(head):
		found = "its lines end in CR LF: a program copied it as text"
	default:
		return nil
	}
	return refused(ErrChanged, path, errors.New(found), next)
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
	layout, about := false, false
	for _, n := range names {
		switch {
		case n.Name == BundleAbout && !n.IsDir():
			about = true
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
	if about {
		return "", refused(ErrNotEvidence, path, errors.New("it is an unpacked audit bundle"), "name the archive, or run check.sh in it")
	}
	return "", notEvidence(path, "it holds no journal")
}

// ofJournal reports whether a journal directory has files of such a name. One
// such file is enough: a directory that lacks the others is a damaged journal.
func ofJournal(name string) bool {
	return name == journal.TailName || strings.HasPrefix(name, "marker.") || strings.HasPrefix(name, "MANIFEST-") ||
		filepath.Ext(name) == ".sst" && strings.Trim(strings.TrimSuffix(name, ".sst"), "0123456789") == ""
}

// openParent opens the directory of a file read-only and returns it with the
// file's name. The file is then opened through it: only if it is regular, without
// blocking, and without a change of its access time.
func openParent(at string) (*durable.Root, string, error) {
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
