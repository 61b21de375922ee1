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

// InPlace reports whether dst is still as installed: a regular file of size bytes with
// this content, this mode (four octal digits), and no file capabilities, which a copy
// never has. The error is the disk's; a path that cannot lead to a regular file is not in
// place. The size is compared before a byte is read, because a huge sparse file must not
// delay a boot.
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
	if more, err := durable.HasCapabilities(f); more || err != nil {
		return false, err
	}
	have, _, err := hash(f)
	if errors.Is(err, ErrChanged) {
		return false, nil // somebody writes to it: not as installed
	}
	return err == nil && have == sum, err
}

// inPlace checks whether the destination already is what Apply would install, and then
// returns it open. It compares while it hashes and stops at the first difference, so that
// a file that must be copied is not read whole first.
//
// A destination with a second name is not in place: it could be changed through that name
// after it was verified.
func inPlace(fsys durable.FS, p Planned) (res Result, dst durable.File, err error) {
	there, err := fsys.Lstat(p.Dst)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, nil, nil
	}
	if err != nil {
		return Result{}, nil, err
	}
	if there.Mode != p.Mode || there.Nlink != 1 {
		return Result{}, nil, nil
	}
	src, err := fsys.Open(p.Src)
	if err != nil {
		return Result{}, nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer func() { _ = src.Close() }() // nothing was written
	wanted, err := p.judgeSource(fsys, src)
	if err != nil || wanted.Size != there.Size {
		return Result{}, nil, err
	}
	dst, err = fsys.Open(p.Dst)
	if err != nil {
		return Result{}, nil, nil // replaced meanwhile, or unreadable: it is written again
	}
	sum, same, err := p.installed(src, dst, wanted.Size)
	if same {
		err = p.pinned(sum)
	}
	if !same || err != nil {
		_ = dst.Close() // nothing was written
		return Result{}, nil, err
	}
	res = p.result(sum, wanted.Size)
	res.AlreadyInPlace = true
	return res, dst, nil
}

// installed reports whether the open destination equals a copy of the source, and returns
// the hash of both.
func (p Planned) installed(src, dst durable.File, size int64) (sum string, same bool, err error) {
	have, err := dst.Stat()
	if err != nil || have.Mode != p.Mode || have.Nlink != 1 || have.Size != size {
		return "", false, nil
	}
	if more, err := durable.HasCapabilities(dst); err != nil || more {
		return "", false, nil
	}
	return compare(src, dst, size)
}

// compare reads size bytes of both files side by side up to the first difference, and
// hashes them. It returns only errors of the source; a destination that cannot be read is
// replaced.
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

// absent reports whether err means that there is no regular file at the path.
func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, durable.ErrSymlink) || errors.Is(err, durable.ErrNotRegular)
}
