package stateroot

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
)

// BallastBytes is the size of the ballast.
const BallastBytes = 8 << 20

// ballastMode keeps the ballast from readers: its blocks may hold what other
// files left behind on filesystems that do not clear them.
const ballastMode = 0o600

// EnsureBallast makes the ballast unless it is there in its full size, and
// reports whether it did. It is written beside and renamed, so that a ballast
// under its own name has all of its blocks. On a full disk it leaves nothing
// behind and returns an error that is syscall.ENOSPC.
func EnsureBallast(fsys durable.FS) (made bool, err error) {
	info, err := fsys.Lstat(Ballast)
	switch {
	case err == nil && info.Mode.IsRegular() && info.Size == BallastBytes:
		return false, nil
	case err == nil && info.IsDir():
		return false, fmt.Errorf("make ballast: %s: %w: move it away", Ballast, durable.ErrNotRegular)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("make ballast: %w: check the disk", err)
	}
	if err := makeBallast(fsys, Ballast+TmpSuffix); err != nil {
		return false, fmt.Errorf("make ballast: %w: free space on the persistent partition", err)
	}
	return true, nil
}

func makeBallast(fsys durable.FS, tmp string) error {
	if err := fsys.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := fsys.Create(tmp, ballastMode)
	if err != nil {
		return err
	}
	err = f.Preallocate(0, BallastBytes)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = fsys.Rename(tmp, Ballast)
	}
	if err != nil {
		_ = fsys.Remove(tmp) // the first error is the one that tells
		return err
	}
	return fsys.SyncDir(path.Dir(Ballast))
}

// ReleaseBallast gives the ballast's blocks back to the disk, durably, and
// reports whether there was one.
func ReleaseBallast(fsys durable.FS) (released bool, err error) {
	if err := fsys.Remove(Ballast); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, fmt.Errorf("release ballast: %w: remove %s by hand", err, Ballast)
	}
	if err := fsys.SyncDir(path.Dir(Ballast)); err != nil {
		return true, fmt.Errorf("release ballast: %w: check the disk", err)
	}
	return true, nil
}
