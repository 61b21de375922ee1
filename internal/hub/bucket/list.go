package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/autonomyops/edged/internal/durable"
)

// inMemory is the number of names of a directory that a list keeps in memory: about 12
// MiB. A larger directory is read several times, each time for the names that follow.
const inMemory = 1 << 18

// List implements [Store]. An object that is written or deleted meanwhile is yielded or
// not; every other one is yielded once.
func (f *Folder) List(ctx context.Context, prefix string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		if err := checkPrefix(prefix); err != nil {
			yield(Item{}, err)
			return
		}
		if _, err := f.walk(ctx, prefix, yield); err != nil {
			yield(Item{}, failed("list objects", err))
		}
	}
}

// walk yields the objects of a directory, whose name ends in a slash. more is false if
// yield does not want more.
func (f *Folder) walk(ctx context.Context, dir string, yield func(Item, error) bool) (more bool, err error) {
	open, err := f.openDir(strings.TrimSuffix(dir, "/"))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = open.Close() }()
	for after := ""; ; {
		names, err := following(ctx, open, after)
		if err != nil || len(names) == 0 {
			return true, err
		}
		for _, name := range names {
			after = name
			if strings.HasSuffix(name, "/") {
				if more, err := f.walk(ctx, dir+name, yield); !more || err != nil {
					return false, err
				}
				continue
			}
			var st unix.Stat_t
			switch err := unix.Fstatat(int(open.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); {
			case err == unix.ENOENT: // deleted meanwhile
				continue
			case err != nil:
				return false, &fs.PathError{Op: "lstat", Path: dir + name, Err: err}
			}
			if !yield(Item{Name: dir + name, Stamp: stampOf(&st)}, nil) {
				return false, nil
			}
		}
	}
}

// openDir opens a directory without following a symbolic link. The FS of durable has no
// such call: its lists hold a whole directory in memory.
func (f *Folder) openDir(dir string) (*os.File, error) {
	fd, err := unix.Openat(f.root.Fd(), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for element := range strings.SplitSeq(dir, "/") {
		if err != nil {
			break
		}
		var next int
		next, err = unix.Openat(fd, element, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		_ = unix.Close(fd)
		fd = next
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// following returns the first names of a directory after one of them, in the order of
// the objects' names. A directory ends in a slash, which gives it its place in that order.
func following(ctx context.Context, dir *os.File, after string) (names []string, err error) {
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	for {
		entries, err := dir.ReadDir(4096)
		for _, e := range entries {
			name := e.Name()
			if !cleanElement(name) {
				continue // not an object
			}
			switch {
			case e.IsDir():
				name += "/"
			case !e.Type().IsRegular():
				return nil, &fs.PathError{Op: "list", Path: dir.Name() + "/" + name, Err: durable.NotRegularError(e.Type())}
			}
			if name > after {
				names = append(names, name)
			}
		}
		if len(names) > 2*inMemory || err == io.EOF {
			slices.Sort(names)
			if len(names) > inMemory {
				clear(names[inMemory:])
				names = names[:inMemory]
			}
		}
		switch {
		case err == io.EOF:
			return names, nil
		case err != nil:
			return nil, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
}

// fresh: two replacements within one tick of the kernel's clock have one time, and the
// second may get the inode and the size of the file before.
const fresh = time.Second

// stampOf returns the stamp of a file. A file that has just been written gets one that
// no other list repeats, so that it is read again.
func stampOf(st *unix.Stat_t) string {
	stamp := fmt.Sprintf("%x.%x.%x", st.Ino, st.Mtim.Nano(), st.Size)
	if now := time.Now(); now.Sub(time.Unix(st.Mtim.Unix())) < fresh {
		stamp += fmt.Sprintf(".%x", now.UnixNano())
	}
	return stamp
}
