package operation

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Plan validates every operation of m, and its binary_path, against the rules
// and against the disk, before anything is touched. root is the absolute path
// of the state root that fsys is. The error is an *Error.
func Plan(fsys durable.FS, root string, m *manifest.Manifest) ([]Planned, error) {
	if _, err := beneath(root, stateroot.Binaries, m.Binary()); err != nil {
		return nil, &Error{Index: -1, Op: "binary_path", Field: "src", Path: m.Binary(), Err: err}
	}
	planned := make([]Planned, 0, len(m.Operations))
	for i, op := range m.Operations {
		p, err := plan(fsys, root, i, op)
		if err != nil {
			return nil, err
		}
		if err := disjoint(p, planned); err != nil {
			return nil, err
		}
		planned = append(planned, p)
	}
	return planned, nil
}

func plan(fsys durable.FS, root string, index int, op manifest.Operation) (Planned, error) {
	p := Planned{Index: index, Op: op.Op, BLAKE3: op.BLAKE3, Mode: defaultMode(op.Op)}
	refuse := func(field, path string, err error) (Planned, error) {
		return p, &Error{Index: index, Op: op.Op, Field: field, Path: path, Err: err}
	}
	var err error
	if p.Src, err = source(root, op); err != nil {
		return refuse("src", op.Src, err)
	}
	if p.Dst, err = destination(root, op); err != nil {
		return refuse("dst", op.Dst, err)
	}
	if op.Mode != "" {
		mode, err := manifest.ParseMode(op.Mode)
		if err != nil {
			return refuse("mode", op.Mode, err)
		}
		p.Mode = fs.FileMode(mode)
	}
	if err := usableSource(fsys, p); err != nil {
		return refuse("src", p.Src, err)
	}
	if err := usableDestination(fsys, p.Dst); err != nil {
		return refuse("dst", p.Dst, err)
	}
	return p, nil
}

func defaultMode(op string) fs.FileMode {
	if op == manifest.CopyBinary {
		return 0o755
	}
	return 0o640
}

// usableSource opens the source as Apply will. A file with more than one link
// can be changed through a name outside the source folder, so that only a
// pinned content makes it usable.
func usableSource(fsys durable.FS, p Planned) error {
	f, err := fsys.Open(p.Src)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	if info.Nlink > 1 && p.BLAKE3 == "" {
		return fmt.Errorf("%w: it has %d links, which needs a pinning blake3", ErrSource, info.Nlink)
	}
	return nil
}

// usableDestination: the place is free or holds a regular file, and what leads
// to it are directories or nothing yet.
func usableDestination(fsys durable.FS, dst string) error {
	for dir := path.Dir(dst); dir != "."; dir = path.Dir(dir) {
		info, err := fsys.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("%w: %w", ErrDest, err)
		case info.Mode.Type() == fs.ModeSymlink:
			return fmt.Errorf("%w: %s: %w", ErrDest, dir, durable.ErrSymlink)
		case !info.IsDir():
			return fmt.Errorf("%w: %s is not a directory", ErrDest, dir)
		}
	}
	info, err := fsys.Lstat(dst)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDest, err)
	case info.Mode.Type() == fs.ModeSymlink:
		return fmt.Errorf("%w: %w", ErrDest, durable.ErrSymlink)
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", ErrDest)
	case !info.Mode.IsRegular():
		return fmt.Errorf("%w: %w", ErrDest, durable.ErrNotRegular)
	}
	return nil
}

// disjoint: no destination repeats or nests in another's.
func disjoint(p Planned, before []Planned) error {
	for _, q := range before {
		if within(p.Dst, q.Dst) || within(q.Dst, p.Dst) {
			return &Error{Index: p.Index, Op: p.Op, Field: "dst", Path: p.Dst,
				Err: fmt.Errorf("%w: it repeats or nests in operation %d's %s", ErrPath, q.Index, q.Dst)}
		}
	}
	return nil
}
