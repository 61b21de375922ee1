package memfs

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"math"
	"syscall"

	"github.com/autonomyops/edged/internal/durable"
)

// file is an open file. Its fields are guarded by fs.mu.
type file struct {
	fs     *FS
	node   *inode
	name   string
	base   string
	pos    int64
	write  bool
	closed bool
}

var _ durable.File = (*file)(nil)

func (m *FS) newFile(n *inode, name, base string, write bool) *file {
	n.opens++
	return &file{fs: m, node: n, name: name, base: base, write: write}
}

func modePerm(perm uint32) fs.FileMode { return fs.FileMode(perm) & fs.ModePerm }

// do runs an operation on the open file.
func (f *file) do(kind OpKind, length int, act func() error) error {
	after, err := f.fs.enter(Op{Kind: kind, Name: f.name, Len: length})
	if err != nil {
		return pathError(string(kind), f.name, err)
	}
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError(string(kind), f.name, fs.ErrClosed)
	}
	return pathError(string(kind), f.name, cmp.Or(act(), after))
}

// Read implements [io.Reader].
func (f *file) Read(p []byte) (n int, err error) {
	err = f.do(OpRead, len(p), func() error {
		n = f.copyOut(p, f.pos)
		f.pos += int64(n)
		return nil
	})
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, err
}

// ReadAt implements [io.ReaderAt].
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	err = f.do(OpRead, len(p), func() error {
		if off < 0 {
			return syscall.EINVAL
		}
		n = f.copyOut(p, off)
		return nil
	})
	if err == nil && n < len(p) {
		return n, io.EOF
	}
	return n, err
}

func (f *file) copyOut(p []byte, off int64) int {
	if off >= int64(f.node.data.size) { // off may be too large for an int
		return 0
	}
	return f.node.data.read(p, int(off))
}

// Write implements [io.Writer].
func (f *file) Write(p []byte) (int, error) {
	return f.writeOp(p, func() int64 { return f.pos }, func(n int) { f.pos += int64(n) })
}

// WriteAt implements [io.WriterAt].
func (f *file) WriteAt(p []byte, off int64) (int, error) {
	return f.writeOp(p, func() int64 { return off }, func(int) {})
}

func (f *file) writeOp(p []byte, at func() int64, moved func(n int)) (n int, err error) {
	after, err := f.fs.enter(Op{Kind: OpWrite, Name: f.name, Len: len(p)})
	var short *ShortWrite
	if errors.As(err, &short) && short.N > 0 {
		f.fs.mu.Lock()
		after, err = err, nil
		p = p[:min(short.N, len(p))]
	}
	if err != nil {
		return 0, pathError("write", f.name, err)
	}
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, pathError("write", f.name, fs.ErrClosed)
	}
	n, err = f.put(p, at())
	moved(n)
	return n, pathError("write", f.name, cmp.Or(err, after))
}

// put writes as much of p as fits.
func (f *file) put(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, syscall.EINVAL
	case !f.write:
		return 0, syscall.EBADF
	case len(p) == 0:
		return 0, nil
	case off > math.MaxInt32:
		return 0, syscall.EFBIG
	}
	room, err := f.fs.reserve(f.node, int(off), len(p))
	if room > 0 {
		kept := append([]byte(nil), p[:room]...)
		f.node.data.write(kept, int(off))
		f.note(dataOp{kind: dataWrite, off: int(off), bytes: kept})
	}
	return room, err
}

// note records a change that is not durable yet.
func (f *file) note(d dataOp) {
	f.node.modTime = f.fs.now()
	f.node.pending = append(f.node.pending, d)
}

// Truncate implements [durable.File].
func (f *file) Truncate(size int64) error {
	return f.do(OpTruncate, 0, func() error {
		switch {
		case size < 0, !f.write:
			return syscall.EINVAL
		case size > math.MaxInt32:
			return syscall.EFBIG
		}
		f.node.data.resize(int(size))
		f.fs.cut(f.node, int(size))
		f.note(dataOp{kind: dataTruncate, size: int(size)})
		return nil
	})
}

// Preallocate implements [durable.File].
func (f *file) Preallocate(off, length int64) error {
	return f.do(OpPreallocate, 0, func() error {
		switch {
		case off < 0, length <= 0:
			return syscall.EINVAL
		case !f.write:
			return syscall.EBADF
		case off > math.MaxInt32, length > math.MaxInt32:
			return syscall.EFBIG
		}
		if _, err := f.fs.reserve(f.node, int(off), int(length)); err != nil {
			return err
		}
		size := int(off + length)
		if size > f.node.data.size {
			f.node.data.resize(size)
		}
		f.note(dataOp{kind: dataExtend, size: size})
		return nil
	})
}

// Chmod implements [durable.File].
func (f *file) Chmod(perm fs.FileMode) error {
	return f.do(OpChmod, 0, func() error {
		if perm&^fs.ModePerm != 0 {
			return syscall.EINVAL
		}
		f.node.mode = f.node.mode&^fs.ModePerm | perm
		f.node.pending = append(f.node.pending, dataOp{kind: dataChmod, perm: uint32(perm)})
		return nil
	})
}

// Chown implements [durable.File].
func (f *file) Chown(uid, gid uint32) error {
	return f.do(OpChown, 0, func() error {
		f.node.owner = owner{uid, gid}
		f.node.pending = append(f.node.pending, dataOp{kind: dataChown, owner: f.node.owner})
		return nil
	})
}

// Sync implements [durable.File].
func (f *file) Sync() error { return f.flush(OpSync, true) }

// Datasync implements [durable.File].
func (f *file) Datasync() error { return f.flush(OpDatasync, false) }

func (f *file) flush(kind OpKind, metadata bool) error {
	err := f.do(kind, 0, func() error {
		f.node.flush(metadata)
		return nil
	})
	if err != nil && !errors.Is(err, ErrDead) && !errors.Is(err, fs.ErrClosed) {
		f.fs.mu.Lock()
		defer f.fs.mu.Unlock()
		f.node.failFlush()
	}
	return err
}

// Stat implements [durable.File].
func (f *file) Stat() (info durable.Info, err error) {
	err = f.do(OpStat, 0, func() error {
		info = f.node.info(f.base)
		return nil
	})
	return info, err
}

// Close implements [io.Closer].
func (f *file) Close() error {
	return f.do(OpClose, 0, func() error {
		f.release()
		return nil
	})
}

// release ends the handle; fs.mu is held.
func (f *file) release() {
	f.closed = true
	f.node.opens--
	f.fs.reclaim(f.node)
}
