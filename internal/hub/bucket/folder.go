package bucket

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// Folder is a [Store] in a folder of this host, which several processes may use.
//
// An object is a file with the same name. It is written below tmp, flushed, renamed, and
// its directory is flushed. A reader therefore finds a whole object or none, and a crash
// leaves at most a file below tmp, which is never listed or served.
//
// The [Version] is a hash of the content. Swap and Delete hold the lock of the name, so
// that nobody replaces the object between the comparison and the rename. A content that
// comes back has its old version again: what is written with Swap must not repeat.
//
// Put takes no lock: an object is written either with Put or with Swap, never with both.
type Folder struct {
	location string
	root     *durable.Root // for the lists, which need its descriptor
	disk     durable.FS    // the same; in tests a twin that crashes
	locks    nameLocks
	now      func() time.Time
}

var _ Store = (*Folder)(nil)

// temporaries holds files that are being written. It is a folder of its own so that
// OpenFolder finds what a crash has left without looking at the objects.
const temporaries = "tmp"

// abandoned: nobody writes a temporary file for so long.
const abandoned = time.Hour

// OpenFolder opens the store in a folder, which it makes if only the last element of the
// path is missing. It refuses a folder that holds anything but a hub's objects.
func OpenFolder(location string) (*Folder, error) {
	root, err := openRoot(location)
	if err != nil {
		return nil, failed("open the store "+location, err)
	}
	f := &Folder{location: location, root: root, disk: root, locks: newNameLocks(root), now: time.Now}
	if err := f.prepare(); err != nil {
		_ = root.Close()
		return nil, err
	}
	return f, nil
}

func openRoot(location string) (*durable.Root, error) {
	root, err := openExisting(location)
	if !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	full, err := filepath.Abs(location)
	if err != nil {
		return nil, err
	}
	parent, err := durable.OpenRoot(filepath.Dir(full))
	if err != nil {
		return nil, err
	}
	defer func() { _ = parent.Close() }()
	if err := durable.MkdirAll(parent, filepath.Base(full), 0o700); err != nil {
		return nil, err
	}
	return durable.OpenRoot(full)
}

func openExisting(location string) (*durable.Root, error) {
	full, err := filepath.Abs(location)
	if err != nil {
		return nil, err
	}
	return durable.OpenRoot(full)
}

// prepare makes the folders that are missing.
func (f *Folder) prepare() error {
	open := "open the store " + f.location
	own := append([]string{temporaries, lockFolder}, folders...)
	found, err := durable.Names(f.disk, ".")
	if err != nil {
		return failed(open, err)
	}
	for _, name := range found {
		// A disk that is mounted here has lost+found.
		if name != "lost+found" && !slices.Contains(own, name) {
			return errs.Advise("choose an empty folder for the store", "%s: %w: it holds %q, which is not a hub's", open, ErrUnsuitable, name)
		}
	}
	made := false
	for _, name := range own {
		made = made || !slices.Contains(found, name)
		if err := durable.MkdirAll(f.disk, name, 0o700); err != nil {
			return failed(open, err)
		}
	}
	if made {
		// Another process may have made some of them and not flushed them yet.
		if err := f.disk.SyncDir("."); err != nil {
			return failed(open, err)
		}
	}
	if err := f.locks.prepare(); err != nil {
		return failed(open, err)
	}
	f.clean()
	return nil
}

// clean removes what a crash left below tmp. It reports nothing: such a file only takes
// space.
func (f *Folder) clean() {
	left, err := f.disk.ReadDir(temporaries)
	if err != nil {
		return
	}
	for _, info := range left {
		if f.now().Sub(info.ModTime) > abandoned {
			_ = f.disk.Remove(path.Join(temporaries, info.Name))
		}
	}
}

// Close releases the folder. It must be the last call.
func (f *Folder) Close() error { return f.root.Close() }

// String implements [Store].
func (f *Folder) String() string { return f.location }

// Get implements [Store].
func (f *Folder) Get(ctx context.Context, name string) ([]byte, Version, error) {
	if err := errors.Join(checkName(name), ctx.Err()); err != nil {
		return nil, "", err
	}
	return f.read(name)
}

// settled: a file of this age was renamed, and the rename flushed, long ago. No kernel
// keeps a changed directory in memory for longer than half a minute.
const settled = 10 * time.Minute

// read returns an object that a power cut cannot take back: the caller acts on it.
func (f *Folder) read(name string) ([]byte, Version, error) {
	data, info, err := durable.ReadFile(f.disk, name, MaxObject)
	// Its writer may be between the rename and the flush, or may have died there.
	if err == nil && f.now().Sub(info.ModTime) < settled {
		err = f.flush(name)
	}
	if err != nil {
		return nil, "", failed("read an object", err)
	}
	return data, versionOf(data), nil
}

func versionOf(data []byte) Version {
	sum := blake3.Sum256(data)
	return Version(hex.EncodeToString(sum[:]))
}

// Put implements [Store].
func (f *Folder) Put(ctx context.Context, name string, data []byte) error {
	if err := errors.Join(checkName(name), checkSize(name, data), ctx.Err()); err != nil {
		return err
	}
	return f.write(name, data)
}

// Swap implements [Store].
func (f *Folder) Swap(ctx context.Context, name string, data []byte, old Version) error {
	if err := errors.Join(checkName(name), checkSize(name, data)); err != nil {
		return err
	}
	unlock, err := f.locks.lock(ctx, name)
	if err != nil {
		return failed("lock the object "+name, err)
	}
	defer unlock()
	var now Version
	switch found, _, err := durable.ReadFile(f.disk, name, MaxObject); {
	case err == nil:
		now = versionOf(found)
	case !errors.Is(err, fs.ErrNotExist):
		return failed("read an object", err)
	}
	if now == old {
		return f.write(name, data) // and flush: the comparison needs none of its own
	}
	// The caller relies on the object that is there instead.
	if err := f.flush(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("replace an object", err)
	}
	return fmt.Errorf("replace the object %s: %w", name, ErrChanged)
}

// write returns when the object is durable. The rename makes it visible.
func (f *Folder) write(name string, data []byte) error {
	tmp, err := f.fill(name, data)
	if err != nil {
		return failed("write the object "+name, err)
	}
	if err := f.disk.Rename(tmp, name); err != nil {
		_ = f.disk.Remove(tmp) // the first error matters
		return failed("write an object", err)
	}
	if err := f.flush(name); err != nil {
		return failed("write an object", err)
	}
	return nil
}

// fill writes and flushes a file of a name that no other writer has, and makes the
// directory of the object.
func (f *Folder) fill(name string, data []byte) (tmp string, err error) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	tmp = path.Join(temporaries, hex.EncodeToString(random))
	if err := durable.MkdirAll(f.disk, path.Dir(name), 0o700); err != nil {
		return "", err
	}
	file, err := f.disk.Create(tmp, 0o600)
	if err != nil {
		return "", err
	}
	if err := durable.Fill(file, data); err != nil {
		_ = f.disk.Remove(tmp) // the first error matters
		return "", err
	}
	return tmp, nil
}

// flush makes the names of an object and of its directories durable. Another process may
// have made a directory and not flushed its name yet; a directory that has not changed
// costs next to nothing (84 us on ext4).
func (f *Folder) flush(name string) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if err := f.disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements [Store].
func (f *Folder) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	unlock, err := f.locks.lock(ctx, name)
	if err != nil {
		return failed("lock the object "+name, err)
	}
	defer unlock()
	// An object that is absent is flushed too: who removed it may have died before that.
	err = f.disk.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = f.flush(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("delete an object", err)
	}
	return nil
}

// failed returns an error of the disk with what to do about it. The error of durable has
// the path of the object.
func failed(what string, err error) error {
	next := "check the disk and the kernel log"
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, fs.ErrNotExist):
		next = "check that the store is the right one"
		if strings.HasPrefix(what, "open") {
			next = "make the folder that is to hold the store"
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		next = "free space on the filesystem of the store"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		next = "let the user of this command write the folder of the store"
	case errors.Is(err, durable.ErrSymlink):
		next = "name the folder itself: the store follows no symbolic link"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, durable.ErrNotRegular):
		next = "choose a folder that only a hub uses"
	case errors.Is(err, durable.ErrTooLarge):
		next = "restore the object from a backup: no hub has written it"
	case errors.Is(err, durable.ErrNoLock):
		next = "choose a folder on a filesystem of this host"
		err = fmt.Errorf("%w: %w", ErrUnsuitable, err)
	}
	return errs.Advise(next, "%s: %w", what, err)
}
