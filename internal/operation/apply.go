package operation

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"github.com/autonomyops/edged/internal/durable"
)

// Apply puts the source's bytes at the destination: written beside it, hashed
// in the same pass, flushed, renamed into place, the directory flushed. A
// pinned content is compared before the rename publishes the first byte. What
// is already there as it should be is left alone. The error is an *Error.
func Apply(fsys durable.FS, p Planned) (Result, error) {
	if res, err := inPlace(fsys, p); err != nil || res.AlreadyInPlace {
		return res, err
	}
	dir := path.Dir(p.Dst)
	if err := durable.MkdirAll(fsys, dir, 0o755); err != nil {
		return Result{}, p.failed(err)
	}
	temp := path.Join(dir, tempPrefix+strconv.Itoa(p.Index)+tempSuffix)
	if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Result{}, p.failed(err)
	}
	res, err := stage(fsys, p, temp)
	if err == nil {
		err = fsys.Rename(temp, p.Dst)
	}
	if err != nil {
		if rm := fsys.Remove(temp); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
		return Result{}, p.failed(err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return Result{}, p.failed(err)
	}
	return res, nil
}

// Rehearse says what Apply would do, and changes nothing.
func Rehearse(fsys durable.FS, p Planned) (Result, error) {
	res, err := inPlace(fsys, p)
	if err != nil || res.AlreadyInPlace {
		return res, err
	}
	sum, size, err := HashFile(fsys, p.Src)
	if err == nil {
		err = p.pinned(sum)
	}
	if err != nil {
		return Result{}, p.failed(err)
	}
	return p.result(sum, size), nil
}

// stage writes the temporary file, whole and flushed.
func stage(fsys durable.FS, p Planned, temp string) (Result, error) {
	src, err := fsys.Open(p.Src)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	if info.Nlink > 1 && p.BLAKE3 == "" {
		return Result{}, fmt.Errorf("%w: it has %d links, which needs a pinning blake3", ErrSource, info.Nlink)
	}
	dst, err := fsys.Create(temp, 0o600)
	if err != nil {
		return Result{}, err
	}
	sum, err := copyHashed(dst, src, info.Size)
	if err == nil {
		err = p.pinned(sum)
	}
	if err == nil {
		err = dst.Chmod(p.Mode)
	}
	if err == nil {
		err = dst.Sync()
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return Result{}, err
	}
	return p.result(sum, info.Size), nil
}

// inPlace looks whether the destination already is what Apply would make it.
func inPlace(fsys durable.FS, p Planned) (Result, error) {
	there, err := fsys.Lstat(p.Dst)
	if errors.Is(err, fs.ErrNotExist) {
		return Result{}, nil
	}
	if err != nil {
		return Result{}, p.failed(err)
	}
	wanted, err := fsys.Lstat(p.Src)
	if err != nil {
		return Result{}, p.failed(err)
	}
	if !there.Mode.IsRegular() || there.Size != wanted.Size || there.Mode.Perm() != p.Mode {
		return Result{}, nil
	}
	sum, size, err := HashFile(fsys, p.Src)
	if err == nil {
		err = p.pinned(sum)
	}
	if err != nil {
		return Result{}, p.failed(err)
	}
	if have, _, err := HashFile(fsys, p.Dst); err != nil || have != sum {
		return Result{}, nil // unreadable or other bytes: replaced
	}
	// An earlier application may have been killed between its rename and the
	// flush of the directory.
	if err := fsys.SyncDir(path.Dir(p.Dst)); err != nil && !errors.Is(err, fs.ErrPermission) && !readOnly(err) {
		return Result{}, p.failed(err)
	}
	res := p.result(sum, size)
	res.AlreadyInPlace = true
	return res, nil
}

func (p Planned) pinned(sum string) error {
	if p.BLAKE3 != "" && sum != p.BLAKE3 {
		return fmt.Errorf("%w: %s has %s, pinned is %s", ErrMismatch, p.Src, sum, p.BLAKE3)
	}
	return nil
}

func (p Planned) result(sum string, size int64) Result {
	return Result{Bytes: size, BLAKE3: sum, Mode: modeText(p.Mode), HashPinned: p.BLAKE3 != ""}
}

func (p Planned) failed(err error) error {
	return &Error{Index: p.Index, Op: p.Op, Path: p.Dst, Err: err}
}

func modeText(m fs.FileMode) string { return fmt.Sprintf("%04o", uint32(m.Perm())) }
