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

// fault is where errors that Pebble would answer with Fatalf, a panic or an
// endless retry are caught and kept.
//
// The first failed write or sync is recorded and reported to Pebble as a
// success; from then on nothing that Pebble writes reaches the disk. So its
// background goroutines end quietly, whatever they were at, and the calling
// goroutine finds the error here before it believes anything. The disk is left
// as a crash at the failed operation would have left it.
type fault struct {
	first atomic.Pointer[errs.Error]
	once  sync.Once
	stuck chan struct{} // closed when a goroutine was parked: do not wait for Pebble
}

func newFault() *fault { return &fault{stuck: make(chan struct{})} }

// record keeps the first error.
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

// err gives the first fault as an error, nil if there was none.
func (f *fault) err() error {
	if e := f.first.Load(); e != nil {
		return e
	}
	return nil
}

// abandon makes every run return now.
func (f *fault) abandon() { f.once.Do(func() { close(f.stuck) }) }

// run calls into Pebble and returns when it does, or when a goroutine of
// Pebble's cannot go on. A recorded fault takes precedence over what fn
// returns.
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

// Infof, Errorf and Fatalf make fault Pebble's logger.
func (f *fault) Infof(string, ...any) {}

// Errorf hears of errors that are also returned or recorded.
func (f *fault) Errorf(string, ...any) {}

// Fatalf must not return, and must not end the process: it records the fault
// and parks the goroutine.
func (f *fault) Fatalf(format string, args ...any) {
	f.record("run the storage engine", "", fmt.Errorf(format, args...))
	f.abandon()
	select {}
}

// listener hears of what Pebble would otherwise pass to Fatalf.
func (f *fault) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			// Pebble retries a failed flush for ever.
			f.record("flush or compact", damagedFile(err), err)
			f.abandon()
		},
		DataCorruption: func(pebble.DataCorruptionInfo) {}, // the reader gets the error
	}
}

// classify is errs.Of for what Pebble returns.
func classify(what, path string, err error) error {
	var have *errs.Error
	if errors.As(err, &have) || !pebble.IsCorruptionError(err) {
		return errs.Of(what, path, err)
	}
	return errs.Corrupt(path, 0, err, "%s", what)
}

// damagedFile is the table that Pebble found damaged, "" where it names none.
// Of a compaction no record tells where it was, as it does of a read: whoever
// looks has one file to copy.
func damagedFile(err error) string {
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
		return info.Path
	}
	return ""
}
