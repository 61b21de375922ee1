package journal

import (
	"errors"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
)

// A reader that does not hold the gate's lock tries again as long as a gate is
// writing, and reports what it finds only if it finds it again while no gate
// can write.
const (
	livePatience = 10 * time.Second
	livePause    = 2 * time.Millisecond
)

// OpenLiveView is OpenView for a reader that does not hold the gate's lock. It
// never writes and never makes a gate wait for longer than one look at the
// tail takes. Nothing beyond the newest acknowledged record is read; without a
// head file nothing vouches for one, and everything is.
func OpenLiveView(fsys durable.FS, l Layout) (*View, error) {
	until := time.Now().Add(livePatience)
	for {
		v, err := openLive(fsys, l)
		if err == nil && !v.suspicious() {
			return v, nil
		}
		unlock, lockErr := lockShared(fsys)
		if lockErr == nil {
			defer unlock()
			if v != nil {
				err = errors.Join(err, v.Close())
			}
			return openLive(fsys, l)
		}
		if v != nil {
			_ = v.Close() // read-only
		}
		if time.Now().After(until) {
			return nil, &errs.Error{Kind: ErrBusy, Path: l.Dir, Detail: "open the journal for reading", Err: err, Next: "try again when the gate has ended"}
		}
		time.Sleep(livePause)
	}
}

// openLive opens a view that no settling overtook, and cuts it off at the head.
func openLive(fsys durable.FS, l Layout) (*View, error) {
	v, err := OpenView(fsys, l)
	if err != nil {
		return nil, err
	}
	generation := v.tail.header.generation
	if !v.tail.derived {
		if err := v.tail.readHeaders(); err != nil {
			return nil, errors.Join(err, v.Close())
		}
		if v.tail.header.generation != generation {
			return nil, errors.Join(&errs.Error{Kind: ErrBusy, Path: l.Dir, Detail: "open the journal for reading", Next: "try again"}, v.Close())
		}
	}
	v.cutAtHead()
	return v, nil
}

// suspicious reports whether the view shows something that only a gate at work
// or a fault explains.
func (v *View) suspicious() bool {
	act, err := v.CheckHead(nil)
	return err != nil || act != HeadAction{}
}

// cutAtHead drops what the head file has not acknowledged.
func (v *View) cutAtHead() {
	newest, ok := v.head.Newest()
	if !ok || newest.Journal != v.text || newest.Tip.Seq >= v.tip.Seq {
		return
	}
	hash, err := v.hashAt(newest.Tip.Seq)
	if err != nil || hash != newest.Tip.Hash {
		return // CheckHead reports it
	}
	v.beyond = int(v.tip.Seq - newest.Tip.Seq)
	v.tip = newest.Tip
}

// lockShared takes the shared lock of a state root without waiting. A tree
// that has none, or whose filesystem refuses locks, is taken as locked: what is
// found there is reported as it is.
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
