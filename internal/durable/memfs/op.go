package memfs

import (
	"errors"

	"github.com/autonomyops/edged/internal/durable"
)

// OpKind names an operation.
type OpKind string

// The operations that a hook sees.
const (
	OpOpen        OpKind = "open"
	OpOpenWrite   OpKind = "openwrite"
	OpCreate      OpKind = "create"
	OpMkdir       OpKind = "mkdir"
	OpRename      OpKind = "rename"
	OpRemove      OpKind = "remove"
	OpLstat       OpKind = "lstat"
	OpReadDir     OpKind = "readdir"
	OpSyncDir     OpKind = "syncdir"
	OpRead        OpKind = "read"
	OpWrite       OpKind = "write"
	OpTruncate    OpKind = "truncate"
	OpPreallocate OpKind = "preallocate"
	OpChmod       OpKind = "chmod"
	OpChown       OpKind = "chown"
	OpSync        OpKind = "sync"
	OpDatasync    OpKind = "datasync"
	OpStat        OpKind = "stat"
	OpClose       OpKind = "close"
	OpFreeSpace   OpKind = "freespace"
)

// mutates reports whether the operation changes the volatile or the durable state, so
// that a crash before and after it can differ.
func (k OpKind) mutates() bool {
	switch k {
	case OpCreate, OpMkdir, OpRename, OpRemove, OpSyncDir, OpWrite, OpTruncate,
		OpPreallocate, OpChmod, OpChown, OpSync, OpDatasync:
		return true
	}
	return false
}

// Op is one operation, as a hook sees it before it happens. ReadAt and
// WriteAt are OpRead and OpWrite.
type Op struct {
	N       int    // 1, 2, 3 … since New, Crash or Clone
	Kind    OpKind //
	Name    string // of the file as it was opened, or of the name acted on
	New     string // a rename's new name
	Mutates bool   // it changes what a crash could leave
	Len     int    // bytes asked for, of OpRead and OpWrite
}

// ShortWrite is an error for a hook to return for a write: N bytes reach the file, then
// the write fails with Err. For other operations it is the same as Err.
type ShortWrite struct {
	N   int
	Err error
}

func (e *ShortWrite) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *ShortWrite) Unwrap() error { return e.Err }

// After is an error for a hook to return: the operation takes effect and fails all the
// same, as if a disk loses only the answer.
type After struct{ Err error }

func (e *After) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *After) Unwrap() error { return e.Err }

// SetHook sets a hook that is called before every operation on the disk and its files,
// from the goroutine that makes it and without any lock held, so that it may call
// [FS.Kill], [FS.Ghost], [FS.Crash] or [FS.Clone]. An error that it returns becomes the
// operation's error (wrapped with the name), and the operation does not happen, except
// for [ShortWrite] and [After]. nil removes the hook.
func (m *FS) SetHook(hook func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = hook
}

// Ops returns the number of operations so far.
func (m *FS) Ops() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ops
}

// Kill cuts the power: every later operation returns [ErrDead] and changes nothing,
// including one whose hook is running.
func (m *FS) Kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

// Ghost cuts the power secretly: later operations, including one whose hook is running,
// seem to succeed, so that background goroutines end normally; but [FS.Crash] returns
// the disk as it was at the first call of Ghost.
func (m *FS) Ghost() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen == nil {
		m.frozen = m.clone()
	}
}

// enter counts an operation and calls the hook. If it returns a nil error, the lock is
// held and the operation must be done; after is then the error to return in the end,
// usually nil.
func (m *FS) enter(op Op) (after, err error) {
	m.mu.Lock()
	if m.dead {
		m.mu.Unlock()
		return nil, ErrDead
	}
	m.ops++
	op.N = m.ops
	op.Mutates = op.Kind.mutates()
	hook := m.hook
	if hook != nil {
		m.mu.Unlock()
		err = hook(op)
		m.mu.Lock()
	}
	if m.dead {
		m.mu.Unlock()
		return nil, ErrDead
	}
	var done *After
	if errors.As(err, &done) {
		return done.Err, nil
	}
	if err != nil {
		m.mu.Unlock()
	}
	return nil, err
}

// named runs an operation on one name.
func (m *FS) named(kind OpKind, name string, act func() error) error {
	if err := durable.CheckName(name); err != nil {
		return err
	}
	after, err := m.enter(Op{Kind: kind, Name: name})
	if err != nil {
		return pathError(string(kind), name, err)
	}
	defer m.mu.Unlock()
	if err := act(); err != nil {
		return pathError(string(kind), name, err)
	}
	return pathError(string(kind), name, after)
}
