package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/autonomyops/edged/journal/record"
)

// openBundle unpacks the records of a bundle and opens them as an export.
func openBundle(at string) (src *Source, err error) {
	err = WalkBundle(at, func(m Member, r io.Reader) (err error) {
		if m.Name == BundleRecords {
			src, err = Unpack(at, m, r)
		}
		return err
	})
	switch {
	case err != nil && src != nil:
		return nil, errors.Join(err, src.Close())
	case err != nil:
		return nil, err
	case src == nil:
		return nil, unsound(at, fmt.Errorf("it holds no %s", BundleRecords))
	}
	return src, nil
}

// Unpack opens the records of a bundle's member, so that they can be read in
// any order and after the bundle was walked. They lie in a file without a
// name, which is gone with the source. Its Lines are all of them, to be judged
// one by one. If none is a record, its Tip is 0.
func Unpack(path string, m Member, r io.Reader) (*Source, error) {
	f, n, err := spill(path, m, r)
	if err != nil {
		return nil, err
	}
	e, err := newExport(path, f, n)
	if err != nil {
		return nil, err
	}
	return &Source{reader: e, kind: Bundle, path: path}, nil
}

// spill copies a member of n bytes to a file without a name.
func spill(path string, m Member, r io.Reader) (f *os.File, n int64, err error) {
	f, err = os.CreateTemp("", "edgectl-bundle-*")
	if err != nil {
		return nil, 0, fmt.Errorf("unpack %s of %s: %w; set TMPDIR to a directory with space", m.Name, path, err)
	}
	// Nobody else is to read it, and nothing is to be left of it.
	if err := os.Remove(f.Name()); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("unpack %s of %s: %w", m.Name, path, err), f.Close())
	}
	n, err = io.CopyBuffer(struct{ io.Writer }{f}, &lines{r: r}, make([]byte, 256<<10))
	if err != nil {
		err = fmt.Errorf("unpack %s of %s: %w; there must be space for %d bytes in %s, or set TMPDIR elsewhere", m.Name, path, err, m.Size, os.TempDir())
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}

// lines passes on what may be records. Of a line that is longer than any record
// it passes on only so much that whoever judges it sees that: an archive can
// hold terabytes of zeros.
type lines struct {
	r    io.Reader
	tail int // bytes passed on since the last line feed
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	kept := 0
	for rest := p[:n]; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i]
		}
		room := record.MaxLen + 1 - l.tail
		moved := copy(p[kept:], line[:min(len(line), room)])
		kept, l.tail = kept+moved, l.tail+moved
		if rest = rest[len(line):]; len(rest) > 0 {
			p[kept] = '\n'
			kept, l.tail, rest = kept+1, 0, rest[1:]
		}
	}
	return kept, err
}
