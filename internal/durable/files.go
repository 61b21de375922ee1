package durable

import (
	"errors"
	"io/fs"
	"path"
	"syscall"
)

// ReadFile reads a whole regular file of at most limit bytes. The error of a larger
// one is [ErrTooLarge], with its Info. If a file grows meanwhile, at most limit+1
// bytes are read.
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

// Names returns a directory's names in order, without "." and "..". If fsys has
// ReadNames, as a [Root] has, no entry is stat-ed: in a directory of many files that
// is most of the cost of [FS].ReadDir.
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

// WriteBehind starts to write [off, off+length) of f to the disk, without waiting if
// the disk's queue has room. It promises nothing: the bytes are durable after a Sync,
// which then has less to do. If f does not support it, as in the in-memory twin,
// nothing happens. An error is that of a failed write; after it no Sync makes the
// bytes durable.
func WriteBehind(f File, off, length int64) error {
	if can, ok := f.(interface {
		WriteBehind(off, length int64) error
	}); ok {
		return can.WriteBehind(off, length)
	}
	return nil
}

// WriteFile makes name hold exactly data with exactly perm, durably: it writes
// name+".tmp" beside it, flushes that, renames it into place and flushes the
// directory. A crash leaves the old file or the new one, and perhaps the temporary
// file, which the next WriteFile of the same name removes. A directory under the
// temporary name was not left by WriteFile: unless it is empty, it stays and is an
// error. After an error name holds the old bytes or the new ones, never a mixture.
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
	if err = Fill(f, data); err == nil {
		err = fsys.Rename(tmp, name)
	}
	if err != nil {
		_ = fsys.Remove(tmp) // the first error matters
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// Fill writes data to the new file f, flushes it and closes it. The file's name is
// durable only after a SyncDir of its directory.
func Fill(f File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// temporary returns the name to which WriteFile writes before it renames.
func temporary(name string) string { return name + ".tmp" }

// RemoveTemporary removes the regular file that an interrupted WriteFile of name left
// beside it. Anything else under that name stays.
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

// MkdirAll makes the directory name and its missing parents, each with perm as in
// Mkdir, and flushes every directory that gained a name. A directory that exists is
// not changed. The error is [ErrSymlink] for a symbolic link on the way,
// syscall.ENOTDIR for anything else that is not a directory.
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
		info, statErr := fsys.Lstat(name) // another process made it meanwhile
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

// RemoveAll removes name and, if it is a directory, its content. A symbolic link is
// removed, never followed; a missing name is no error. The removal is durable after
// the caller has flushed the directory that held name.
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
