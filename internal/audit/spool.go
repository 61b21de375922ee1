package audit

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/history"
	"github.com/autonomyops/edged/journal/record"
)

// spool collects a bundle's files before the first is written: an archive has
// the size of a file before its content, and the list of hashes before the files.
// Small files are kept in a temporary file without a name. Records are streamed
// twice: for size and hash, and into the archive.
type spool struct {
	file  *os.File
	end   int64
	files []file
}

// file is a file of the bundle.
type file struct {
	name string
	size int64
	hash record.Hash
	off  int64                   // offset in the spool
	copy func(w io.Writer) error // writes a file that is not in the spool
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "edgectl-audit-*")
	if err != nil {
		return nil, fmt.Errorf("create a temporary file for the bundle: %w; set TMPDIR to a directory with space", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spool{file: f}, nil
}

func (s *spool) close() error { return s.file.Close() }

// add adds a small file.
func (s *spool) add(name string, data []byte) error {
	if _, err := s.file.WriteAt(data, s.end); err != nil {
		return fmt.Errorf("keep %s of the bundle: %w; set TMPDIR to a directory with space", name, err)
	}
	s.files = append(s.files, file{name: name, size: int64(len(data)), hash: record.HashOf(data), off: s.end})
	s.end += int64(len(data))
	return nil
}

// stream adds a file that copy writes. copy is called twice and must write the
// same bytes.
func (s *spool) stream(name string, copy func(w io.Writer) error) error {
	h := blake3.New()
	n := &counting{w: h}
	if err := copy(n); err != nil {
		return err
	}
	s.files = append(s.files, file{name: name, size: n.n, hash: record.Hash(h.Sum(nil)), copy: copy})
	return nil
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.w.Write(p)
}

// write writes the archive: bundle.json, the list of hashes, then the others.
func (s *spool) write(w io.Writer, at time.Time) error {
	slices.SortFunc(s.files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	var sums []byte
	for i, f := range s.files {
		if i > 0 && s.files[i-1].name == f.name {
			return fmt.Errorf("write an audit bundle: %s was added twice", f.name)
		}
		sums = fmt.Appendf(sums, "%s  %s\n", f.hash, f.name)
	}
	archive := tar.NewWriter(w)
	for _, f := range s.files {
		if f.name != history.BundleAbout {
			continue
		}
		if err := s.member(archive, f, at); err != nil {
			return err
		}
	}
	if err := header(archive, history.BundleSums, int64(len(sums)), at); err != nil {
		return err
	}
	if _, err := archive.Write(sums); err != nil {
		return err
	}
	for _, f := range s.files {
		if f.name == history.BundleAbout {
			continue
		}
		if err := s.member(archive, f, at); err != nil {
			return err
		}
	}
	return archive.Close()
}

func (s *spool) member(archive *tar.Writer, f file, at time.Time) error {
	if err := header(archive, f.name, f.size, at); err != nil {
		return err
	}
	if f.copy != nil {
		return f.copy(archive)
	}
	_, err := io.Copy(archive, io.NewSectionReader(s.file, f.off, f.size))
	return err
}

// header begins a file. A time that a tar header cannot hold is replaced by
// 1970.
func header(archive *tar.Writer, name string, size int64, at time.Time) error {
	const most = 1<<33 - 1 // seconds: eleven octal digits
	if at.Unix() < 0 || at.Unix() > most {
		at = time.Unix(0, 0)
	}
	h := &tar.Header{Typeflag: tar.TypeReg, Name: history.BundleDir + name, Size: size, Mode: 0o644, ModTime: at.Truncate(time.Second), Format: tar.FormatUSTAR}
	if size > most {
		h.Format = tar.FormatPAX
	}
	if name == checkName || name == verifierName {
		h.Mode = 0o755
	}
	return archive.WriteHeader(h)
}
