package durable

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// CheckWrite reports, without trying, whether this process may write a file in
// place, or make and remove names in a directory: nil, or an error that is
// syscall.EACCES, syscall.EROFS, or syscall.EPERM if an attribute forbids it. It
// does not ask whether fsys was opened for reading only. An FS without a
// CheckWrite method, as the in-memory twin, may be written.
func CheckWrite(fsys FS, name string) error {
	if can, ok := fsys.(interface{ CheckWrite(name string) error }); ok {
		return can.CheckWrite(name)
	}
	return nil
}

// CheckReplace reports, as [CheckWrite] does, whether a file may be made at name,
// or renamed over what is there, and whether temp, where it is written first, can
// be made: a directory that holds something refuses that. temp may be "". If
// name's directory does not exist yet, the nearest one above that does is asked.
func CheckReplace(fsys FS, name, temp string) error {
	if temp != "" {
		if found, err := fsys.ReadDir(temp); err == nil && len(found) > 0 {
			return pathError("remove", temp, unix.ENOTEMPTY)
		}
	}
	can, ok := fsys.(interface{ checkReplace(name string) error })
	if !ok {
		return nil
	}
	if temp != "" {
		if err := can.checkReplace(temp); err != nil {
			return err
		}
	}
	return can.checkReplace(name)
}

// CheckWriteFile reports, as [CheckReplace] does, whether [WriteFile] could write
// name.
func CheckWriteFile(fsys FS, name string) error { return CheckReplace(fsys, name, temporary(name)) }

// CheckWrite is what [CheckWrite] asks for.
func (r *Root) CheckWrite(name string) error {
	at, err := r.parent(name)
	if err != nil {
		return r.fail("access", name, err)
	}
	defer at.close()
	err = retry(func() error {
		return unix.Faccessat(at.fd, at.base, unix.W_OK, unix.AT_EACCESS|unix.AT_SYMLINK_NOFOLLOW)
	})
	if err == nil {
		err = at.checkAttributes()
	}
	if err != nil {
		return r.fail("access", name, err)
	}
	return nil
}

func (r *Root) checkReplace(name string) error {
	at, err := r.parent(name)
	if err == nil {
		defer at.close()
		err = at.checkAttributes()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r.fail("rename", name, err)
	}
	dir, _ := splitName(name)
	for err = r.CheckWrite(dir); errors.Is(err, fs.ErrNotExist) && dir != "."; err = r.CheckWrite(dir) {
		dir, _ = splitName(dir)
	}
	return err
}

// checkAttributes reports an attribute that forbids to write or replace a file.
// Where attributes cannot be asked for, there are none.
func (p place) checkAttributes() error {
	var st unix.Statx_t
	const forbid = unix.STATX_ATTR_IMMUTABLE | unix.STATX_ATTR_APPEND
	switch err := unix.Statx(p.fd, p.base, unix.AT_SYMLINK_NOFOLLOW, 0, &st); {
	case err == unix.ENOENT:
		return err
	case err == nil && st.Attributes&forbid != 0:
		return unix.EPERM
	}
	return nil
}
