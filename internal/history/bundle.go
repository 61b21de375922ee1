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
// any order and after the walk. It copies them to a file without a name, which
// exists until the source is closed. Lines returns all of them, records or
// not. If no line is a record, Tip is 0.
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

// spill copies a member to a file without a name and returns its length, n bytes.
func spill(path string, m Member, r io.Reader) (f *os.File, n int64, err error) {
	f, err = os.CreateTemp("", "edgectl-bundle-*")
	if err != nil {
		return nil, 0, fmt.Errorf("unpack %s of %s: %w; set TMPDIR to a directory with space", m.Name, path, err)
	}
	// Without a name, nobody else reads it and a crash leaves nothing.
	if err := os.Remove(f.Name()); err != nil {
		return nil, 0, errors.Join(fmt.Errorf("unpack %s of %s: %w", m.Name, path, err), f.Close())
	}
	n, err = io.CopyBuffer(struct{ io.Writer }{f}, &lines{r: r}, make([]byte, 256<<10))
	if err != nil {
		err = fmt.Errorf("unpack %s of %s: %w; free %d bytes in %s, or set TMPDIR to a directory with space", m.Name, path, err, m.Size, os.TempDir())
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}

// lines shortens each line that is longer than any record to one byte more than
// a record may have: an archive can hold terabytes of zeros.
type lines struct {
	r       io.Reader
	written int // bytes returned since the last line feed
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	kept := 0
	for in := p[:n]; len(in) > 0; {
		line := in
		if i := bytes.IndexByte(in, '\n'); i >= 0 {
			line = in[:i]
		}
		room := record.MaxLen + 1 - l.written
		moved := copy(p[kept:], line[:min(len(line), room)])
		kept, l.written = kept+moved, l.written+moved
		if in = in[len(line):]; len(in) > 0 {
			p[kept] = '\n'
			kept, l.written, in = kept+1, 0, in[1:]
		}
	}
	return kept, err
}
