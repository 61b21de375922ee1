package history

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/autonomyops/edged/internal/errs"
)

// Member is a file of an audit bundle, its name without BundleDir.
type Member struct {
	Name    string
	Size    int64
	ModTime time.Time
}

// WalkBundle reads the audit bundle at path once, in constant memory, and calls
// visit with each of its files, in order. visit need not read all of a file.
// The archive may be hostile: name, size and order of a file are checked before
// visit is called, and the archive is always read to its end.
//
// An error of visit is returned unchanged. Other errors are of kind ErrAbsent,
// ErrUnreadable, ErrNotEvidence or ErrBundle, or errs.ErrNewer for a newer
// format.
func WalkBundle(path string, visit func(Member, io.Reader) error) error {
	f, err := OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read-only
	at, info, err := resolve(path)
	if err != nil {
		return unreadable(at, err)
	}
	return walkArchive(path, f, info.Size(), visit)
}

// walkArchive walks an archive of size bytes.
func walkArchive(path string, r io.Reader, size int64, visit func(Member, io.Reader) error) error {
	in := bufio.NewReader(r)
	var unpacked io.Reader = in
	if head, err := in.Peek(tarHead); err != nil || !isTar(head) {
		dec, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxBundleWindow))
		if err != nil {
			return unsound(path, err)
		}
		defer dec.Close()
		unpacked = dec
	}
	plain := &bounded{r: unpacked, left: maxBundleRatio*size + 1<<20}
	archive := tar.NewReader(plain)
	before := ""
	for n := 0; ; n++ {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return trailer(path, plain, n)
		}
		if err != nil {
			if n == 0 && errors.Is(err, tar.ErrHeader) {
				err = errNoBundle
			}
			return unsound(path, err)
		}
		m, err := member(h, n, before)
		if err != nil {
			return unsound(path, err)
		}
		content := io.LimitReader(archive, m.Size)
		if n == 0 {
			if content, err = about(m, content); err != nil {
				return unsound(path, err)
			}
		}
		counted := &counter{r: content}
		if err := visit(m, counted); err != nil {
			if counted.err != nil { // the archive's error, which visit may have wrapped
				return unsound(path, counted.err)
			}
			return err
		}
		before = m.Name
	}
}

// member checks header number n, from 0, after the member named before.
func member(h *tar.Header, n int, before string) (Member, error) {
	if n == 0 && h.Name != BundleDir+BundleAbout {
		return Member{}, errNoBundle
	}
	name, err := checkName(h.Name)
	if err != nil {
		return Member{}, err
	}
	if h.Typeflag != tar.TypeReg {
		return Member{}, fmt.Errorf("%s is not a regular file (tar type %q)", name, h.Typeflag)
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return Member{}, fmt.Errorf("%s is a sparse file", name)
		}
	}
	if err := errors.Join(checkOrder(n, name, before), checkSize(name, h.Size)); err != nil {
		return Member{}, err
	}
	return Member{Name: name, Size: h.Size, ModTime: h.ModTime}, nil
}

// about checks the first file and returns its content, to be read again.
func about(m Member, r io.Reader) (io.Reader, error) {
	const limit = 64 << 10
	if m.Size > limit {
		return nil, errNoBundle
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(data); err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}

// trailer reads on after the archive's end. Only blocks of zeros may follow,
// and the checksum of the last Zstandard frame must be right.
func trailer(path string, r io.Reader, files int) error {
	if files == 0 {
		return unsound(path, errNoBundle)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		for _, b := range buf[:n] {
			if b != 0 {
				return unsound(path, errors.New("data follows the archive's end"))
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unsound(path, err)
		}
	}
}

var errBomb = errors.New("it unpacks to more data than a history can hold")

// bounded returns errBomb after left bytes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errBomb
	}
	return n, err
}

// counter keeps the error of the archive that it reads.
type counter struct {
	r   io.Reader
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// unsound returns the error about an archive that cannot be read to its end.
func unsound(path string, err error) error {
	switch {
	case errors.Is(err, errs.ErrNewer):
		return err
	case errors.Is(err, errNoBundle):
		return notEvidence(path, err.Error())
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("it is cut short")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		err = fmt.Errorf("it needs a window of more than %d MiB to unpack", maxBundleWindow>>20)
	}
	return refused(ErrBundle, path, err, "copy it again from its source, or ask for a new one")
}
