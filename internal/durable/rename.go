package durable

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// Rename implements [FS]. The root itself cannot be moved (EBUSY).
func (r *Root) Rename(oldname, newname string) error {
	if err := r.rename(oldname, newname); err != nil {
		if err == unix.EBADF {
			err = fs.ErrClosed
		}
		return linkError("rename", r.full(oldname), r.full(newname), err)
	}
	return nil
}

func (r *Root) rename(oldname, newname string) error {
	if r.readOnly {
		return unix.EROFS
	}
	if !cleanName(oldname) || !cleanName(newname) {
		return ErrName
	}
	from, err := r.parent(oldname)
	if err != nil {
		return err
	}
	defer from.close()
	to := place{fd: from.fd}
	var dir string
	dir, to.base = splitName(newname)
	if was, _ := splitName(oldname); was != dir {
		if to, err = r.parent(newname); err != nil {
			return err
		}
		defer to.close()
	}
	return retry(func() error { return unix.Renameat(from.fd, from.base, to.fd, to.base) })
}

// Remove implements [FS]. The root itself cannot be removed (EBUSY).
func (r *Root) Remove(name string) error {
	if r.readOnly {
		return r.refuse("remove", name)
	}
	at, err := r.parent(name)
	if err != nil {
		return r.fail("remove", name, err)
	}
	defer at.close()
	if at.base == "." {
		return r.fail("remove", name, unix.EBUSY)
	}
	err = retry(func() error { return unix.Unlinkat(at.fd, at.base, 0) })
	if err == unix.EISDIR || err == unix.EPERM { // POSIX says EPERM, Linux EISDIR
		if rmErr := retry(func() error { return unix.Unlinkat(at.fd, at.base, unix.AT_REMOVEDIR) }); rmErr != unix.ENOTDIR {
			err = rmErr
		}
	}
	if err != nil {
		return r.fail("remove", name, err)
	}
	return nil
}
