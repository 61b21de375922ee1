package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/journal/record"
)

// openBundle unpacks the records of a bundle and opens them as an export.
func openBundle(at string, damaged bool) (*export, error) {
	var e *export
	err := WalkBundle(at, func(m Member, r io.Reader) (err error) {
		if m.Name == BundleRecords {
			e, err = unpack(at, m, r, damaged)
		}
		return err
	})
	switch {
	case err != nil && e != nil:
		return nil, errors.Join(err, e.Close())
	case err != nil:
		return nil, err
	case e == nil:
		return nil, unsound(at, fmt.Errorf("it holds no %s", BundleRecords))
	}
	return e, nil
}

// Unpack opens the records of a bundle's member, so that they can be read in
// any order and after the bundle was walked. They lie in a file without a
// name, which is gone with the source. Where the first line or the last is no
// record, damage says so: the source then holds the records that follow each
// other from the first line on, its Tip is 0 where there are none, and its
// Lines are all of them, to be judged one by one.
func Unpack(path string, m Member, r io.Reader) (src *Source, damage, err error) {
	f, n, err := spill(path, m, r)
	if err != nil {
		return nil, nil, err
	}
	e, damage, err := newDamaged(path, f, n)
	if err != nil {
		return nil, nil, err
	}
	return &Source{reader: e, kind: Bundle, path: path}, damage, nil
}

func unpack(path string, m Member, r io.Reader, damaged bool) (*export, error) {
	f, n, err := spill(path, m, r)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		_ = f.Close() // of our own
		return nil, &errs.Error{Kind: journal.ErrTorn, Path: path, Detail: "read an audit bundle: " + m.Name + " is empty", Next: nextExport}
	}
	return newExport(path, f, n, damaged)
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
	switch {
	case errors.Is(err, errNoLines):
		err = unsound(path, fmt.Errorf("%s: %w", m.Name, err))
	case err != nil:
		err = fmt.Errorf("unpack %s of %s: %w; there must be space for %d bytes in %s, or set TMPDIR elsewhere", m.Name, path, err, m.Size, os.TempDir())
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}

var errNoLines = errors.New("it holds a line that is longer than any record")

// lines passes on what may be records, and ends at what cannot be: an archive
// can hold terabytes of zeros.
type lines struct {
	r    io.Reader
	tail int // bytes since the last line feed
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			l.tail += len(rest)
			break
		}
		if l.tail+i > record.MaxLen {
			return 0, errNoLines
		}
		l.tail, rest = 0, rest[i+1:]
	}
	if l.tail > record.MaxLen {
		return 0, errNoLines
	}
	return n, err
}
