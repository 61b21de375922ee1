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

// Apply installs the source's bytes at the destination: it writes them beside it,
// hashes them in the same pass, flushes, renames, and flushes the directory. A pinned
// content is compared before the rename publishes the first byte. A destination that is
// already in place is not written. The error is an *Error.
//
// After Apply returns without an error, destination, content and mode are durable, even
// if an earlier application was killed before it flushed them.
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
		_ = dst.Close() // it is written again, as another file
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
	defer func() { _ = dst.Close() }() // it is flushed
	// Every directory above the destination is flushed too: an application that was
	// killed may have made them without flushing them.
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

// leadsTo checks that a name leads to the open file, and that no other name does. A
// writer to the directory could put another file under the name of the one that was
// hashed, or keep a second name through which to change it.
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

// removeStale removes the temporary file of an interrupted application, or anything else
// of that name except a directory that is not empty.
func removeStale(fsys durable.FS, temp string) error {
	if err := fsys.Remove(temp); err != nil && !absent(err) {
		return err
	}
	return nil
}

// install writes the temporary file, publishes it and returns it open. After an error it
// removes the file and the directories that it made, unless the disk refuses that.
func install(fsys durable.FS, p Planned, temp string) (res Result, dst durable.File, err error) {
	made := missingDirs(fsys, path.Dir(p.Dst))
	defer func() {
		if err == nil {
			return
		}
		for _, dir := range made {
			if fsys.Remove(dir) != nil {
				return // not made, or not empty: another process uses it
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

// missingDirs returns dir and those of its parents that do not exist, the deepest
// first.
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

// Rehearse returns what Apply would return, and changes nothing. The error is an *Error.
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
	if err := durable.CheckReplace(fsys, p.Dst, tempOf(p.Dst)); err != nil {
		return Result{}, err
	}
	if space, err := durable.FreeSpace(fsys); err != nil || uint64(info.Size) > space.FreeBytes || space.FreeInodes == 0 {
		// Apply reserves the space before it reads, and would fail here too.
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

// fill writes the source's bytes to the new file and flushes it.
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
		return fmt.Errorf("%w: it has %s, but the manifest pins %s", ErrMismatch, sum, p.BLAKE3)
	}
	return nil
}

func (p Planned) result(sum string, size int64) Result {
	return Result{Bytes: size, BLAKE3: sum, Mode: modeText(p.Mode), HashPinned: p.BLAKE3 != ""}
}

// failed returns err as an *Error whose path is the file at fault: the source, or else the destination.
func (p Planned) failed(err error) error {
	at := p.Dst
	if errors.Is(err, ErrSource) || errors.Is(err, ErrChanged) || errors.Is(err, ErrMismatch) {
		at = p.Src
	}
	return &Error{Index: p.Index, Op: p.Op, Path: at, Err: fault.Explain(err)}
}

func modeText(m fs.FileMode) string { return fmt.Sprintf("%04o", uint32(m.Perm())) }
