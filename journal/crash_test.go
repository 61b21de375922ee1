package journal

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// run is one run of a gate as far as the journal is concerned: it creates the
// journal or opens it, appends n records, saves a snapshot and closes. acked
// hears of every acknowledged record.
func run(fsys durable.FS, n int, acked func(Tip)) error {
	found, err := Inspect(fsys, DefaultLayout())
	if err != nil {
		return err
	}
	var w *Writer
	if !found.Journal && !found.Head {
		var rec Record
		if w, rec, err = Create(fsys, DefaultLayout(), entry(0), CreateOptions{}); err != nil {
			return err
		}
		acked(Tip{rec.Seq, rec.Hash})
	} else if w, _, err = boot(fsys); err != nil {
		return err
	}
	for i := range n {
		rec, err := w.Append(entry(int(w.Tip().Seq) + i))
		if err != nil {
			return errors.Join(err, w.Close())
		}
		acked(Tip{rec.Seq, rec.Hash})
	}
	if err := w.SaveSnapshot(w.Tip().Seq, []byte("state")); err != nil {
		return errors.Join(err, w.Close())
	}
	return w.Close()
}

// stages are disks on which a run begins, each a longer history.
func stages(t *testing.T) map[string]*memfs.FS {
	t.Helper()
	out := map[string]*memfs.FS{"new": newRoot(t)}
	m := newRoot(t)
	grown(t, m, 3)
	out["clean"] = m.Clone()
	grow(t, m, maxL0-4) // so that the next run compacts
	out["compacting"] = m.Clone()

	// One that a crash left with a log, and one with a torn log.
	for name, seed := range map[string]Keep{"logged": {memfs.All, 0}, "torn": {memfs.Random, 3}} {
		d := m.Clone()
		d.SetHook(func(op memfs.Op) error {
			if op.Kind == memfs.OpWrite && hasSuffix(op.Name, ".sst") {
				d.Ghost()
			}
			return nil
		})
		_ = run(d, 2, func(Tip) {})
		out[name] = d.Crash(memfs.Crash(seed))
	}
	return out
}

// Keep is memfs.Crash, for a table of them.
type Keep = struct {
	Keep memfs.Keep
	Seed uint64
}

// oneByOne makes a hook that counts safe: Pebble's goroutines come to it too,
// also after a run that ended in an error.
func oneByOne(hook func(memfs.Op) error) func(memfs.Op) error {
	var mu sync.Mutex
	return func(op memfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		return hook(op)
	}
}

func hasSuffix(s, suffix string) bool {
	return len(s) >= len(suffix) && s[len(s)-len(suffix):] == suffix
}

func grow(t testing.TB, fsys durable.FS, boots int) {
	t.Helper()
	for range boots {
		noErr(t, run(fsys, 1, func(Tip) {}))
	}
}

// check opens the journal as the next boot would and sees that what was
// acknowledged is there.
func check(fsys durable.FS, acked Tip) error {
	if acked.Seq == 0 {
		return run(fsys, 1, func(Tip) {})
	}
	v, err := OpenView(fsys, DefaultLayout())
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	rec, err := v.Record(acked.Seq)
	if err == nil && rec.Hash != acked.Hash {
		err = fmt.Errorf("record %d was changed", acked.Seq)
	}
	if err == nil {
		err = v.VerifyTail(1 << 40)
	}
	if err := errors.Join(err, v.Close()); err != nil {
		return err
	}
	return run(fsys, 1, func(Tip) {})
}

// TestPowerCut cuts the power before every operation of a run that changes
// the disk, with all, none or a random part of what was not synced lost; what
// was acknowledged stays, and the next run succeeds.
func TestPowerCut(t *testing.T) {
	crashes := []memfs.Crash{{Keep: memfs.None}, {Keep: memfs.All}}
	for s := range uint64(6) {
		crashes = append(crashes, memfs.Crash{Keep: memfs.Random, Seed: s})
	}
	points := 0
	for name, disk := range stages(t) {
		t.Run(name, func(t *testing.T) {
			for k := 1; ; k += everyPoint {
				m := disk.Clone()
				n := 0
				var cut atomic.Bool
				var acked Tip
				m.SetHook(oneByOne(func(op memfs.Op) error {
					if op.Mutates {
						if n++; n == k {
							cut.Store(true)
							m.Ghost()
						}
					}
					return nil
				}))
				err := run(m, 2, func(tip Tip) {
					if !cut.Load() {
						acked = tip
					}
				})
				if !cut.Load() {
					noErr(t, err)
					break
				}
				for _, c := range crashes {
					points++
					if err := check(m.Crash(c), acked); err != nil {
						t.Fatalf("power cut at change %d, %+v, acknowledged %d: %v", k, c, acked.Seq, err)
					}
				}
			}
		})
	}
	t.Logf("%d crash points", points)
}

// TestDiskErrors has every operation fail, once or from then on: the run ends
// with an error that says which, never with a panic, an exit or a hang; what
// was acknowledged stays; and the next run on a sound disk succeeds.
func TestDiskErrors(t *testing.T) {
	type fault struct {
		err     error
		short   bool
		forever bool
	}
	faults := map[string]fault{
		"EIO once":     {err: syscall.EIO},
		"EIO for ever": {err: syscall.EIO, forever: true},
		"ENOSPC once":  {err: syscall.ENOSPC},
		"ENOSPC short": {err: syscall.ENOSPC, short: true, forever: true},
		"EIO but done": {err: syscall.EIO},
		"ENOSPC stays": {err: syscall.ENOSPC, forever: true},
	}
	for stage, disk := range stages(t) {
		for name, f := range faults {
			t.Run(stage+"/"+name, func(t *testing.T) {
				t.Parallel()
				for k := 1; ; k += everyPoint {
					m := disk.Clone()
					n := 0
					var acked Tip
					var first atomic.Pointer[memfs.Op]
					m.SetHook(oneByOne(func(op memfs.Op) error {
						if !op.Mutates && name != "EIO once" {
							return nil // a read that fails once is enough
						}
						if n++; n < k || (n > k && !f.forever) {
							return nil
						}
						first.CompareAndSwap(nil, &op)
						switch {
						case f.short:
							return &memfs.ShortWrite{N: op.Len / 2, Err: f.err}
						case name == "EIO but done":
							return &memfs.After{Err: f.err}
						}
						return f.err
					}))
					done := make(chan error, 1)
					go func() { done <- run(m, 2, func(tip Tip) { acked = tip }) }()
					var err error
					select {
					case err = <-done:
					case <-time.After(time.Minute):
						t.Fatalf("operation %d, %+v: the run hangs", k, first.Load())
					}
					hit := first.Load()
					if hit == nil {
						noErr(t, err)
						break
					}
					var typed *Error
					if err != nil && !errors.As(err, &typed) {
						t.Fatalf("operation %d, %+v: untyped error %v", k, hit, err)
					}
					if hit.Mutates && err == nil {
						t.Fatalf("operation %d, %+v: the run does not notice", k, hit)
					}
					if hit.Mutates && f.err == syscall.ENOSPC && !errors.Is(err, ErrNoSpace) {
						t.Fatalf("operation %d, %+v: not ErrNoSpace: %v", k, hit, err)
					}
					m.SetHook(nil)
					if err := check(m.Crash(memfs.Crash{Keep: memfs.All}), acked); err != nil {
						t.Fatalf("operation %d, %+v, then %v: %v", k, hit, typed, err)
					}
				}
			})
		}
	}
}
