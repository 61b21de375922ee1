package operation

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/durable"
)

// InPlace reports whether what was installed at dst is still there as
// installed: a regular file of size bytes with this content and this mode, of
// four octal digits. The error is the disk's; what cannot be a regular file any
// more is not one. The size is compared before a byte is read: a file that was
// made huge, which sparse costs nothing, must not hold a boot up.
func InPlace(fsys durable.FS, dst, sum, mode string, size int64) (bool, error) {
	f, err := fsys.Open(dst)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode.IsRegular() || info.Mode != info.Mode.Perm() || modeText(info.Mode) != mode || info.Size != size {
		return false, nil
	}
	have, _, err := hash(f)
	if errors.Is(err, ErrChanged) {
		return false, nil // somebody writes to it: not as installed
	}
	return err == nil && have == sum, err
}

// inPlace looks whether the destination already is what Apply would make it,
// and flushes it then, where asked. It compares while it hashes and stops at
// the first difference: a file that must be copied is not read whole before.
//
// A destination with a second name counts as another one: through that name it
// could be changed after it was verified.
func inPlace(fsys durable.FS, p Planned, flush bool) (Result, error) {
	there, err := fsys.Lstat(p.Dst)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, nil
	}
	if err != nil {
		return Result{}, err
	}
	if there.Mode != p.Mode || there.Nlink != 1 {
		return Result{}, nil
	}
	src, err := fsys.Open(p.Src)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer func() { _ = src.Close() }() // nothing was written
	wanted, err := p.judgeSource(src)
	if err != nil || wanted.Size != there.Size {
		return Result{}, err
	}
	dst, err := fsys.Open(p.Dst)
	if err != nil {
		return Result{}, nil // exchanged, or unreadable: replaced
	}
	defer func() { _ = dst.Close() }() // nothing was written
	if have, err := dst.Stat(); err != nil || have.Mode != p.Mode || have.Nlink != 1 || have.Size != wanted.Size {
		return Result{}, nil
	}
	sum, same, err := compare(src, dst, wanted.Size)
	if err != nil || !same {
		return Result{}, err
	}
	if err := p.pinned(sum); err != nil {
		return Result{}, err
	}
	if flush {
		if err := dst.Sync(); err != nil {
			return Result{}, nil // flushed anew, as another file
		}
	}
	res := p.result(sum, wanted.Size)
	res.AlreadyInPlace = true
	return res, nil
}

// compare reads size bytes of both files side by side up to the first
// difference, and hashes them. Only an error of the source is one: whatever is
// wrong with the destination, it is replaced.
func compare(src, dst durable.File, size int64) (sum string, same bool, err error) {
	h := blake3.New()
	a := make([]byte, min(chunk, max(size, 1)))
	b := make([]byte, len(a))
	for left := size; left > 0; {
		n := int(min(int64(len(a)), left))
		if err := readSource(src, a[:n]); err != nil {
			return "", false, err
		}
		if _, err := io.ReadFull(dst, b[:n]); err != nil || !bytes.Equal(a[:n], b[:n]) {
			return "", false, nil
		}
		_, _ = h.Write(a[:n]) // a hash does not fail
		left -= int64(n)
	}
	return hexSum(h), true, nil
}

// absent: nothing can be at the path as a regular file.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, durable.ErrSymlink) || errors.Is(err, durable.ErrNotRegular)
}
