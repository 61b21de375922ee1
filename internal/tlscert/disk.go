package tlscert

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// disk is what a replacement does to the host's filesystem, one durable step
// at a time; tests cut the power between any two. It is not durable.FS, which
// refuses symbolic links: here they are the mechanism, and the files lie where
// the operator put them, outside the state root.
type disk interface {
	Lstat(path string) (fs.FileInfo, error)
	Readlink(path string) (string, error)
	Read(path string) ([]byte, error)
	// Create makes a regular file that did not exist, with data, owner and
	// exact mode, all flushed; the name is durable after SyncDir.
	Create(path string, data []byte, o owner) error
	Mkdir(path string) error
	Symlink(target, path string) error
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
}

// owner is what a replaced file hands on to its successor.
type owner struct {
	mode     fs.FileMode
	uid, gid int
}

func ownerOf(info fs.FileInfo) owner {
	o := owner{mode: info.Mode().Perm(), uid: -1, gid: -1}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		o.uid, o.gid = int(st.Uid), int(st.Gid)
	}
	return o
}

// host is the real disk.
type host struct{}

func (host) Lstat(path string) (fs.FileInfo, error) { return os.Lstat(path) }
func (host) Readlink(path string) (string, error)   { return os.Readlink(path) }
func (host) Read(path string) ([]byte, error)       { return durable.ReadHostFile(path, 2*MaxBytes) }
func (host) Symlink(target, path string) error      { return os.Symlink(target, path) }
func (host) Rename(from, to string) error           { return os.Rename(from, to) }
func (host) Remove(path string) error               { return os.Remove(path) }

// Mkdir makes a directory that the daemon's user can pass through: should the
// power fail, its files are read from there.
func (host) Mkdir(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, 0o755) // whatever the umask
}

func (host) Create(path string, data []byte, o owner) error {
	// 0600 until owner and mode are right: a key is never readable for others.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = adopt(f, o)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// adopt gives f its owner and mode. Where the owner is right already nothing
// is asked of the kernel that only root may ask.
func adopt(f *os.File, o owner) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if now := ownerOf(info); o.uid >= 0 && (now.uid != o.uid || now.gid != o.gid) {
		if err := f.Chown(o.uid, o.gid); err != nil {
			return err
		}
	}
	return f.Chmod(o.mode)
}

func (host) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeIfThere removes a file or an empty directory that may be absent.
func removeIfThere(d disk, path string) error {
	if err := d.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
