package durable

import (
	"errors"
	"io/fs"
	"path"
	"syscall"
)

// ReadFile reads a regular file of at most limit bytes whole. A larger one is
// [ErrTooLarge], and its Info is returned all the same; a file that grows
// while it is read cannot make it read more than limit+1 bytes.
func ReadFile(fsys FS, name string, limit int64) ([]byte, Info, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, Info{}, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, Info{}, err
	}
	data, err := readBounded(f, name, info.Size, limit)
	return data, info, err
}

// Names lists a directory's names in order, without "." and "..". Where fsys
// has ReadNames, as a [Root] has, no entry is looked at: in a directory of many
// files that is most of the cost of [FS].ReadDir.
func Names(fsys FS, name string) ([]string, error) {
	if quick, ok := fsys.(interface {
		ReadNames(name string) ([]string, error)
	}); ok {
		return quick.ReadNames(name)
	}
	entries, err := fsys.ReadDir(name)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names, nil
}

// WriteBehind asks for [off, off+length) of f to be written to the disk soon,
// without waiting for it where the disk's queue has room. It promises nothing:
// the bytes are durable after a Sync, which then has less left to do. Where f
// cannot, as in the in-memory twin, nothing happens. The error is a failed
// write's, after which no Sync brings the bytes back.
func WriteBehind(f File, off, length int64) error {
	if can, ok := f.(interface {
		WriteBehind(off, length int64) error
	}); ok {
		return can.WriteBehind(off, length)
	}
	return nil
}

// WriteFile makes name hold exactly data with exactly perm, durably: it
// writes name+".tmp" beside it, flushes that, renames it into place and
// flushes the directory. A crash leaves the old file or the new one, and
// perhaps the temporary, which the next WriteFile of the same name removes. A
// directory under the temporary's name is nobody's leftover: unless it is
// empty, it stays and is an error.
// After an error name holds the old bytes or the new ones, never a mixture.
func WriteFile(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp := temporary(name)
	f, err := fsys.Create(tmp, perm)
	if errors.Is(err, fs.ErrExist) {
		if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err = fsys.Create(tmp, perm)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		_ = fsys.Remove(tmp) // the first error is the one that tells
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// temporary is where WriteFile writes before it renames.
func temporary(name string) string { return name + ".tmp" }

// RemoveTemporary removes what an interrupted WriteFile of name left beside it,
// if that is a regular file; anything else is somebody else's and stays.
func RemoveTemporary(fsys FS, name string) error {
	tmp := temporary(name)
	info, err := fsys.Lstat(tmp)
	if err == nil && info.Mode.IsRegular() {
		if err = fsys.Remove(tmp); err == nil {
			return fsys.SyncDir(path.Dir(name))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// MkdirAll makes the directory name and those above it that are missing, each
// with perm as Mkdir has it, and flushes every directory that gained a name. One that
// exists is left as it is. A symbolic link on the way is [ErrSymlink],
// anything else that is not a directory syscall.ENOTDIR.
func MkdirAll(fsys FS, name string, perm fs.FileMode) error {
	info, err := fsys.Lstat(name)
	if err == nil {
		return mustBeDir(name, info)
	}
	if !errors.Is(err, fs.ErrNotExist) || name == "." {
		return err
	}
	parent := path.Dir(name)
	if err := MkdirAll(fsys, parent, perm); err != nil {
		return err
	}
	if err := fsys.Mkdir(name, perm); err != nil {
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		info, statErr := fsys.Lstat(name) // made by another meanwhile
		if statErr != nil {
			return statErr
		}
		if err := mustBeDir(name, info); err != nil {
			return err
		}
	}
	return fsys.SyncDir(parent)
}

func mustBeDir(name string, info Info) error {
	switch {
	case info.IsDir():
		return nil
	case info.Mode&fs.ModeSymlink != 0:
		return pathError("mkdir", name, NotRegularError(info.Mode))
	}
	return pathError("mkdir", name, syscall.ENOTDIR)
}

// RemoveAll removes name and, where it is a directory, all it holds. A
// symbolic link is removed, never followed; a missing name is no error. The
// removal is durable once the caller has flushed the directory that held name.
func RemoveAll(fsys FS, name string) error {
	err := fsys.Remove(name)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil
	case !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST): // POSIX allows either
		return err
	}
	entries, err := fsys.ReadDir(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := RemoveAll(fsys, name+"/"+e.Name); err != nil {
			return err
		}
	}
	err = fsys.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
