package operation

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/manifest"
	"github.com/autonomyops/edged/internal/stateroot"
)

// Plan checks every operation of m, and the other files that an epoch's evidence hashes
// (the binary and the config), by the rules and on the disk, before anything is changed or
// read. root is the absolute path of the state root, fsys. The error is an *Error.
func Plan(fsys durable.FS, root string, m *manifest.Manifest) ([]Planned, error) {
	planned, err := Rules(root, m)
	if err != nil {
		return nil, err
	}
	binary, err := Binary(root, m)
	if err != nil {
		return nil, err
	}
	for _, p := range planned {
		if err := usableSource(fsys, p); err != nil {
			return nil, &Error{Index: p.Index, Op: p.Op, Field: "src", Path: p.Src, Err: err}
		}
		if err := usableDestination(fsys, p.Dst); err != nil {
			return nil, &Error{Index: p.Index, Op: p.Op, Field: "dst", Path: p.Dst, Err: err}
		}
	}
	if err := hashable(fsys, binary); err != nil {
		return nil, binaryError(binary, err)
	}
	if err := hashable(fsys, stateroot.NodeConfig); err != nil {
		return nil, &Error{Index: -1, Field: FieldConfig, Path: stateroot.NodeConfig, Err: err}
	}
	return planned, nil
}

// Rules checks the operations of m by the rules alone, not on the disk. The error is an
// *Error.
func Rules(root string, m *manifest.Manifest) ([]Planned, error) {
	planned, problems := validate(root, m)
	if len(problems) > 0 {
		return nil, problems[0]
	}
	return planned, nil
}

// Binary returns the path of the runtime's binary, clean and relative to the state root.
// m's binary_path follows the rules of src. The error is an *Error.
func Binary(root string, m *manifest.Manifest) (string, error) {
	rel, err := beneath(root, stateroot.Binaries, m.Binary())
	if err != nil {
		return "", binaryError(m.Binary(), err)
	}
	return rel, nil
}

func binaryError(path string, err error) *Error {
	return &Error{Index: -1, Field: "binary_path", Path: path, Err: err}
}

// validate applies the rules that need no disk. It returns every problem of m's operations
// and binary_path, at most one per path.
func validate(root string, m *manifest.Manifest) (planned []Planned, problems []*Error) {
	if _, err := beneath(root, stateroot.Binaries, m.Binary()); err != nil {
		problems = append(problems, binaryError(m.Binary(), err))
	}
	for i, op := range m.Operations {
		p := Planned{Index: i, Op: op.Op, BLAKE3: op.BLAKE3}
		refuse := func(field, path string, err error) {
			problems = append(problems, &Error{Index: i, Op: op.Op, Field: field, Path: path, Err: err})
		}
		var err error
		if p.Src, err = source(root, op); err != nil {
			refuse("src", op.Src, err)
		}
		if p.Mode, err = modeOf(op); err != nil {
			refuse("mode", op.Mode, err)
		}
		if p.Dst, err = destination(root, op); err != nil {
			refuse("dst", op.Dst, err)
			continue
		}
		if err := disjoint(p, planned); err != nil {
			refuse("dst", p.Dst, err)
		}
		planned = append(planned, p)
	}
	return planned, problems
}

// modeOf returns the mode of the file that an operation installs.
func modeOf(op manifest.Operation) (fs.FileMode, error) {
	switch {
	case op.Mode != "":
		mode, err := manifest.ParseMode(op.Mode)
		return fs.FileMode(mode), err
	case op.Op == manifest.CopyBinary:
		return 0o755, nil
	}
	return 0o640, nil
}

// disjoint returns an error if p's destination equals or nests in an earlier one.
func disjoint(p Planned, before []Planned) error {
	for _, q := range before {
		if within(p.Dst, q.Dst) || within(q.Dst, p.Dst) {
			return fmt.Errorf("%w: it repeats or nests in operation %d's %s", ErrPath, q.Index, q.Dst)
		}
	}
	return nil
}

// usableSource opens the source as Apply will. A file with more than one link can be
// changed through a name outside the source folder, so it needs a pinned content.
func usableSource(fsys durable.FS, p Planned) error {
	f, err := fsys.Open(p.Src)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	_, err = p.judgeSource(fsys, f)
	return errors.Join(err, f.Close())
}

// judgeSource checks an open source and returns its Info.
func (p Planned) judgeSource(fsys durable.FS, f durable.File) (durable.Info, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return info, fmt.Errorf("%w: %w", ErrSource, err)
	case info.Nlink > 1 && p.BLAKE3 == "":
		return info, fmt.Errorf("%w: %s has %d links, which needs a pinning blake3", ErrSource, p.Src, info.Nlink)
	}
	more, err := durable.HasCapabilities(f)
	switch {
	case err != nil:
		return info, fmt.Errorf("%w: %w", ErrSource, err)
	case more:
		return info, fmt.Errorf("%w: %s has file capabilities, which a copy would lose: remove them (setcap -r)", ErrSource, p.Src)
	}
	return info, fitsDisk(fsys, info.Size)
}

// hashable returns an error unless the file is absent, or regular and can be hashed.
func hashable(fsys durable.FS, name string) error {
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSource, err)
	}
	info, err := f.Stat()
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrSource, err)
	} else {
		err = fitsDisk(fsys, info.Size)
	}
	return errors.Join(err, f.Close())
}

// fitsDisk returns an error for a file that is longer than its filesystem. Such a file has
// holes, perhaps exabytes of them, and hashing it would take forever.
func fitsDisk(fsys durable.FS, size int64) error {
	space, err := durable.FreeSpace(fsys)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSource, err)
	case uint64(size) > space.TotalBytes:
		return fmt.Errorf("%w: it is %d bytes long, but its whole filesystem has %d", ErrSource, size, space.TotalBytes)
	}
	return nil
}

// usableDestination returns an error unless the destination is absent or a regular file,
// and its parents are absent or directories.
func usableDestination(fsys durable.FS, dst string) error {
	for i, c := range dst {
		if c != '/' {
			continue
		}
		dir := dst[:i]
		info, err := fsys.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // so nothing below it exists
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
	case info.IsDir():
		return fmt.Errorf("%w: it is a directory", ErrDest)
	case !info.Mode.IsRegular():
		return fmt.Errorf("%w: %w", ErrDest, durable.NotRegularError(info.Mode))
	}
	return nil
}
