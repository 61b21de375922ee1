package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/autonomyops/edged/internal/errs"
)

// fault catches and keeps errors that Pebble would answer with Fatalf, a panic or
// an endless retry.
//
// The first failed write or sync is recorded and reported to Pebble as a success;
// after it nothing that Pebble writes reaches the disk. So Pebble's background
// goroutines end normally, and the calling goroutine checks for the fault before
// it relies on anything. The disk is left as a crash at the failed operation
// would have left it.
type fault struct {
	first atomic.Pointer[errs.Error]
	once  sync.Once
	stuck chan struct{} // closed when a goroutine is blocked: run does not wait for Pebble
}

func newFault() *fault { return &fault{stuck: make(chan struct{})} }

// record keeps err if it is the first.
func (f *fault) record(what, path string, err error) {
	e := classify(what, path, err)
	var typed *errs.Error
	if !errors.As(e, &typed) {
		typed = &errs.Error{Kind: errs.ErrIO, Path: path, Detail: what, Err: err, Next: errs.NextDisk}
	}
	f.first.CompareAndSwap(nil, typed)
}

// happened reports whether there was a fault.
func (f *fault) happened() bool { return f.first.Load() != nil }

// err returns the first fault, nil if there was none.
func (f *fault) err() error {
	if e := f.first.Load(); e != nil {
		return e
	}
	return nil
}

// abandon makes every run return at once.
func (f *fault) abandon() { f.once.Do(func() { close(f.stuck) }) }

// run calls fn, which calls Pebble. It returns when fn does, or when one of
// Pebble's goroutines is blocked. A recorded fault takes precedence over the
// error of fn.
func (f *fault) run(what, path string, fn func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		done <- fn()
	}()
	var err error
	select {
	case err = <-done:
	case <-f.stuck:
	}
	if e := f.err(); e != nil {
		return e
	}
	if err != nil {
		return classify(what, path, err)
	}
	return nil
}

// Infof does nothing. Infof, Errorf and Fatalf make fault a logger of Pebble's.
func (f *fault) Infof(string, ...any) {}

// Errorf does nothing: these errors are also returned or recorded.
func (f *fault) Errorf(string, ...any) {}

// Fatalf records the fault and blocks its goroutine. It must not return, and must
// not end the process.
func (f *fault) Fatalf(format string, args ...any) {
	f.record("run the storage engine", "", fmt.Errorf(format, args...))
	f.abandon()
	select {}
}

// listener receives the errors that Pebble would otherwise pass to Fatalf.
func (f *fault) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			// Pebble retries a failed flush forever.
			f.record("flush or compact", damagedFile(err), err)
			f.abandon()
		},
		DataCorruption: func(pebble.DataCorruptionInfo) {}, // the reader returns the error
	}
}

// classify is errs.Of for errors of Pebble.
func classify(what, path string, err error) error {
	var have *errs.Error
	if errors.As(err, &have) || !pebble.IsCorruptionError(err) {
		return errs.Of(what, path, err)
	}
	return errs.Corrupt(path, 0, err, "%s", what)
}

// damagedFile returns the table that Pebble found damaged, "" if it names none.
// An error of a compaction belongs to no record, so the file is all that an
// investigator can copy.
func damagedFile(err error) string {
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		return info.Path
	}
	return ""
}
