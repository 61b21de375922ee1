package projections

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"

	"github.com/autonomyops/edged/internal/digest"
	"github.com/autonomyops/edged/internal/durable"
)

// Paths of the projections, relative to the state root.
const (
	FingerprintPath = "bootstrap/os_fingerprint.json"
	CurrentPath     = "epoch/current/evidence.json"
	PreviousPath    = "epoch/previous/evidence.json"
)

// Limits in bytes of what is read of a projection. A rendered one is far shorter:
// the text of an os-release is at most 16 KiB, and evidence fits into a record.
// The remainder is for members of newer versions.
const (
	FingerprintLimit = 64 << 10
	EvidenceLimit    = 512 << 10
)

// Found is a projection as it is on the disk.
type Found struct {
	Path   string
	Exists bool // there is something at Path, of any type
	// Data is the file's bytes. If Path is no readable file (a symbolic link, a
	// FIFO, a directory, a file above its limit), Data is a line that describes
	// it. The line parses as no projection, so such things need no rule of their
	// own.
	Data []byte
	// BLAKE3 is of Data, "" if nothing was found.
	BLAKE3 string

	irregular bool // Data is a description
	dirTaken  bool // for evidence: its directory, or something else under that name, exists
}

// NewFound returns a Found for a regular file that holds data.
func NewFound(path string, data []byte) Found {
	return Found{Path: path, Exists: true, Data: data, BLAKE3: digest.Of(data), dirTaken: path != FingerprintPath}
}

// Readable reports whether there is a regular file within its limit, whose bytes are in Data.
func (f Found) Readable() bool { return f.Exists && !f.irregular }

// Files are the three projections as they are on the disk.
type Files struct {
	Fingerprint, Current, Previous Found
}

func (f Files) all() []Found { return []Found{f.Fingerprint, f.Current, f.Previous} }

// Read reads the three projections, each up to its limit. Something that is no
// readable file is found too (see [Found]); only an I/O error, or a directory that
// may not be read, is an error.
func Read(fsys durable.FS) (Files, error) {
	var f Files
	for _, p := range []struct {
		path  string
		limit int64
		into  *Found
	}{
		{FingerprintPath, FingerprintLimit, &f.Fingerprint},
		{CurrentPath, EvidenceLimit, &f.Current},
		{PreviousPath, EvidenceLimit, &f.Previous},
	} {
		found, err := read(fsys, p.path, p.limit)
		if err != nil {
			return Files{}, fmt.Errorf("read projection: %w", err)
		}
		*p.into = found
	}
	return f, nil
}

func read(fsys durable.FS, name string, limit int64) (Found, error) {
	data, _, err := durable.ReadFile(fsys, name, limit)
	switch {
	case err == nil:
		return NewFound(name, data), nil
	case errors.Is(err, fs.ErrNotExist):
		return absent(fsys, name)
	case errors.Is(err, durable.ErrSymlink), errors.Is(err, durable.ErrNotRegular),
		errors.Is(err, durable.ErrTooLarge), errors.Is(err, syscall.ENOTDIR):
		return irregular(fsys, name)
	}
	return Found{}, err
}

// absent checks whether the directory of missing evidence exists: a crash may have
// left it empty, and before the second epoch previous must not exist.
func absent(fsys durable.FS, name string) (Found, error) {
	f := Found{Path: name}
	if name == FingerprintPath {
		return f, nil
	}
	_, err := fsys.Lstat(path.Dir(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Found{}, err
	}
	f.dirTaken = err == nil
	return f, nil
}

// irregular describes the object at name, or the component above it that is no
// directory. The description distinguishes this object from another of its kind, so
// that a reconstruction recognises the one it has answered, and not a second one
// put in its place.
func irregular(fsys durable.FS, name string) (Found, error) {
	for at := name; at != "."; at = path.Dir(at) {
		info, err := fsys.Lstat(at)
		switch {
		case err == nil:
			f := NewFound(name, fmt.Appendf(nil, "not a readable file: %s %s, %d bytes, modified %d, inode %d\n",
				at, info.Mode.Type(), info.Size, info.ModTime.UnixNano(), info.Ino))
			f.irregular = true
			return f, nil
		case errors.Is(err, durable.ErrSymlink), errors.Is(err, syscall.ENOTDIR):
		case errors.Is(err, fs.ErrNotExist):
			return Found{Path: name}, nil // removed meanwhile
		default:
			return Found{}, err
		}
	}
	return Found{}, fmt.Errorf("read %s: the state root is not a directory: %w", name, syscall.ENOTDIR)
}
