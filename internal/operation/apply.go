package operation

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/fault"
)

// Apply puts the source's bytes at the destination: written beside it, hashed
// in the same pass, flushed, renamed into place, the directory flushed. A
// pinned content is compared before the rename publishes the first byte. What
// is already there as it should be is left alone. The error is an *Error.
//
// When Apply has returned without an error, destination, content and mode are
// durable, whatever an earlier application that was killed had left unflushed.
func Apply(fsys durable.FS, p Planned) (Result, error) {
	res, err := apply(fsys, p)
	if err != nil {
		return Result{}, p.failed(err)
	}
	return res, nil
}

func apply(fsys durable.FS, p Planned) (Result, error) {
	temp := tempOf(p.Dst)
	stale := removeStale(fsys, temp)
	res, dst, err := inPlace(fsys, p)
	if dst != nil && dst.Sync() != nil {
		_ = dst.Close() // written again, as another file
		dst = nil
	}
	if err == nil && dst == nil {
		if err = stale; err == nil {
			res, dst, err = install(fsys, p, temp)
		}
	}
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = dst.Close() }() // flushed
	// Not only the destination's own directory: those above it may have been
	// made by an application that was killed before it could flush them.
	for dir := path.Dir(p.Dst); ; dir = path.Dir(dir) {
		if err := fsys.SyncDir(dir); err != nil {
			return Result{}, err
		}
		if dir == "." {
			break
		}
	}
	res.Leftover = stale
	return res, leadsTo(fsys, p.Dst, dst)
}

// leadsTo checks that a name leads to the open file, and that no other name
// does: whoever may write to the directory can put another file under the name
// of the one that was hashed, or keep a name through which to change it.
func leadsTo(fsys durable.FS, name string, f durable.File) error {
	opened, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := fsys.Lstat(name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrExchanged, err)
	}
	if there.Dev != opened.Dev || there.Ino != opened.Ino || there.Nlink != 1 {
		return fmt.Errorf("%w: %s", ErrExchanged, name)
	}
	return nil
}

// removeStale removes what an application that lost power left, or what
// somebody put in its place, but for a directory that is not empty.
func removeStale(fsys durable.FS, temp string) error {
	if err := fsys.Remove(temp); err != nil && !absent(err) {
		return err
	}
	return nil
}

// install stages the temporary file and publishes it, and returns it open. After
// an error there is none, and no directory that was made for it, unless the disk
// refuses that.
func install(fsys durable.FS, p Planned, temp string) (res Result, dst durable.File, err error) {
	made := missingDirs(fsys, path.Dir(p.Dst))
	defer func() {
		if err == nil {
			return
		}
		for _, dir := range made {
			if fsys.Remove(dir) != nil {
				return // not made, or not empty: somebody else's by now
			}
		}
	}()
	if err := durable.MkdirAll(fsys, path.Dir(p.Dst), 0o755); err != nil {
		return Result{}, nil, err
	}
	dst, err = fsys.Create(temp, 0o600)
	if err != nil {
		return Result{}, nil, err
	}
	res, err = fill(fsys, p, dst)
	if err == nil {
		err = leadsTo(fsys, temp, dst)
	}
	if err == nil {
		err = fsys.Rename(temp, p.Dst)
	}
	if err == nil {
		return res, dst, nil
	}
	err = errors.Join(err, dst.Close())
	if rm := fsys.Remove(temp); rm != nil && !absent(rm) {
		err = errors.Join(err, rm)
	}
	return Result{}, nil, err
}

// missingDirs lists dir and those of its parents that do not exist, the
// deepest first.
func missingDirs(fsys durable.FS, dir string) []string {
	var missing []string
	for ; dir != "."; dir = path.Dir(dir) {
		if _, err := fsys.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		missing = append(missing, dir)
	}
	return missing
}

// Rehearse says what Apply would do, and changes nothing. The error is an *Error.
func Rehearse(fsys durable.FS, p Planned) (Result, error) {
	res, dst, err := inPlace(fsys, p)
	if dst != nil {
		_ = dst.Close() // nothing was written
	} else if err == nil {
		res, err = rehearse(fsys, p)
	}
	if err != nil {
		return Result{}, p.failed(err)
	}
	return res, nil
}

func rehearse(fsys durable.FS, p Planned) (Result, error) {
	src, err := fsys.Open(p.Src)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer func() { _ = src.Close() }() // nothing was written
	info, err := p.judgeSource(fsys, src)
	if err != nil {
		return Result{}, err
	}
	if space, err := durable.FreeSpace(fsys); err != nil || uint64(info.Size) > space.FreeBytes {
		// As the application finds out before it reads: it reserves the space.
		return Result{}, cmp.Or(err, error(syscall.ENOSPC))
	}
	sum, size, err := hash(src)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	if err := p.pinned(sum); err != nil {
		return Result{}, err
	}
	return p.result(sum, size), nil
}

// fill writes the source's bytes to the new file, whole and flushed.
func fill(fsys durable.FS, p Planned, dst durable.File) (Result, error) {
	src, err := fsys.Open(p.Src)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer func() { _ = src.Close() }() // nothing was written
	info, err := p.judgeSource(fsys, src)
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
	return p.result(sum, info.Size), err
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

// failed names the file at fault: the source, or else the destination.
func (p Planned) failed(err error) error {
	at := p.Dst
	if errors.Is(err, ErrSource) || errors.Is(err, ErrChanged) || errors.Is(err, ErrMismatch) {
		at = p.Src
	}
	return &Error{Index: p.Index, Op: p.Op, Path: at, Err: fault.Explain(err)}
}

func modeText(m fs.FileMode) string { return fmt.Sprintf("%04o", uint32(m.Perm())) }
