package durable

import (
	"errors"

	"golang.org/x/sys/unix"
)

// HasCapabilities reports whether an open file carries file capabilities
// (setcap(8)), which its users gain when they run it. If f cannot have any, it has
// none.
func HasCapabilities(f File) (bool, error) {
	if can, ok := f.(interface{ HasCapabilities() (bool, error) }); ok {
		return can.HasCapabilities()
	}
	return false, nil
}

// HasCapabilities implements [HasCapabilities].
func (f *file) HasCapabilities() (bool, error) {
	size := 0
	err := f.do("getxattr", func(fd int) (err error) {
		size, err = unix.Fgetxattr(fd, "security.capability", nil)
		return err
	})
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP):
		return false, nil
	case err != nil:
		return false, err
	}
	return size > 0, nil
}
