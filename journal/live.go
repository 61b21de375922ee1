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
// journal takes. Nothing beyond the newest acknowledged record is read; without
// a head file nothing vouches for one, and everything is.
func OpenLiveView(fsys durable.FS, l Layout) (*View, error) {
	return patiently(fsys, l, func(alone bool) (*View, error) {
		v, err := openLive(fsys, l, alone)
		if err != nil || alone {
			return v, err
		}
		if act, err := v.CheckHead(nil); err != nil || act != (HeadAction{}) {
			return nil, errors.Join(busy(l, err), v.Close())
		}
		if v.beyond == 0 && v.end.acceptable {
			return v, nil
		}
		// A record that is not acknowledged, or half of one: a crash left it,
		// or a gate is about to go on with it.
		unlock, err := lockShared(fsys)
		if err != nil {
			v.beyond, v.end = 0, end{acceptable: true}
			return v, nil
		}
		defer unlock()
		if err := v.Close(); err != nil {
			return nil, err
		}
		return openLive(fsys, l, true)
	})
}

// patiently returns what look returns, as soon as look succeeds, or alone: while
// no gate can write.
func patiently[T any](fsys durable.FS, l Layout, look func(alone bool) (T, error)) (T, error) {
	until := time.Now().Add(livePatience)
	for {
		v, err := look(false)
		if err == nil {
			return v, nil
		}
		if unlock, held := lockShared(fsys); held == nil {
			defer unlock()
			return look(true)
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

// openLive opens a view, cut off at the head. If a gate may be writing it must
// not have overwritten what was read: the header is the same after the frames
// were read as before.
func openLive(fsys durable.FS, l Layout, alone bool) (*View, error) {
	v, err := OpenView(fsys, l)
	if err != nil {
		return nil, err
	}
	v.live = true
	if !alone {
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
