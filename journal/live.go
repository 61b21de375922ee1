package journal

import (
	"errors"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// A reader that does not hold the gate's lock repeats its reading while a gate
// is writing. It reports a finding only if it finds it again while no gate can
// write.
const (
	liveTimeout = 10 * time.Second
	livePause   = 2 * time.Millisecond
)

// OpenLiveView is OpenView for a reader that does not hold the gate's lock. It
// never writes, and a gate waits for it no longer than one opening takes. The
// view ends at the newest acknowledged record. Without a head file nothing
// vouches for a newest record, and the view ends where the tail does.
func OpenLiveView(fsys durable.FS, l Layout) (*View, error) {
	return retry(fsys, l, func(locked bool) (*View, error) {
		v, err := openLive(fsys, l, locked)
		if err != nil || locked {
			return v, err
		}
		if act, err := v.CheckHead(nil); err != nil || act != (HeadAction{}) {
			return nil, errors.Join(busy(l, err), v.Close())
		}
		if v.unacked == 0 && v.end.acceptable {
			return v, nil
		}
		// A record that is not acknowledged, or a torn one: a crash left it,
		// or a gate is writing it now.
		unlock, err := lockShared(fsys)
		if err != nil {
			v.unacked, v.end = 0, end{acceptable: true}
			return v, nil
		}
		defer unlock()
		if err := v.Close(); err != nil {
			return nil, err
		}
		return openLive(fsys, l, true)
	})
}

// retry calls read until it succeeds. If no gate can write, it calls read once
// more with locked set and returns that result. After liveTimeout the error is
// ErrBusy.
func retry[T any](fsys durable.FS, l Layout, read func(locked bool) (T, error)) (T, error) {
	until := time.Now().Add(liveTimeout)
	for {
		v, err := read(false)
		if err == nil {
			return v, nil
		}
		if unlock, held := lockShared(fsys); held == nil {
			defer unlock()
			return read(true)
		}
		if time.Now().After(until) {
			return v, busy(l, err)
		}
		time.Sleep(livePause)
	}
}

func busy(l Layout, err error) error {
	return &errs.Error{Kind: ErrBusy, Path: l.Dir, Detail: "open the journal for reading", Err: err, Next: "try again when the gate has ended"}
}

// openLive opens a view that ends at the head. If a gate may be writing
// (locked is not set), the header must be the same after the frames were read
// as before: otherwise the gate may have overwritten them meanwhile.
func openLive(fsys durable.FS, l Layout, locked bool) (*View, error) {
	v, err := OpenView(fsys, l)
	if err != nil {
		return nil, err
	}
	v.live = true
	if !locked {
		now, slot, err := v.tail.newestHeader()
		if err == nil && (slot < 0 || now.generation != v.tail.header.generation) {
			err = busy(l, nil)
		}
		if err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	v.cutAtHead()
	return v, nil
}

// cutAtHead ends the view at the newest acknowledged record.
func (v *View) cutAtHead() {
	newest, ok := v.head.Newest()
	if !ok || newest.Journal != v.text || newest.Tip.Seq >= v.tip.Seq {
		return
	}
	hash, err := v.hashAt(newest.Tip.Seq)
	if err != nil || hash != newest.Tip.Hash {
		return // CheckHead reports it
	}
	v.unacked = int(v.tip.Seq - newest.Tip.Seq)
	v.tip = newest.Tip
}

// lockShared takes the shared lock of a state root without waiting. If the tree
// has no lock, or its filesystem refuses locks, it succeeds without one: findings
// are then reported at once.
func lockShared(fsys durable.FS) (unlock func(), err error) {
	root, ok := fsys.(interface{ TryLockShared() (func(), error) })
	if !ok {
		return func() {}, nil
	}
	if unlock, err = root.TryLockShared(); errors.Is(err, durable.ErrLockHeld) {
		return nil, err
	}
	return unlock, nil
}
