package journal

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// diskFault is a way in which operations fail.
type diskFault struct {
	name    string
	err     error
	kinds   []memfs.OpKind // the kinds that fail; nil means all that change the disk
	forGood bool           // every operation from the first on; otherwise one
	half    bool           // half of a write is done
	done    bool           // the operation is done and reported as failed
}

var diskFaults = []diskFault{
	{name: "EIO once", err: syscall.EIO},
	{name: "EIO for good", err: syscall.EIO, forGood: true},
	{name: "EIO but done", err: syscall.EIO, done: true},
	{name: "ENOSPC once", err: syscall.ENOSPC},
	{name: "ENOSPC for good", err: syscall.ENOSPC, forGood: true},
	{name: "ENOSPC in a write", err: syscall.ENOSPC, forGood: true, half: true},
	{name: "EIO at one sync", err: syscall.EIO, kinds: []memfs.OpKind{memfs.OpSync, memfs.OpDatasync, memfs.OpSyncDir}},
	{name: "EIO at all syncs", err: syscall.EIO, kinds: []memfs.OpKind{memfs.OpSync, memfs.OpDatasync, memfs.OpSyncDir}, forGood: true},
	{name: "EIO at one read", err: syscall.EIO, kinds: []memfs.OpKind{memfs.OpRead, memfs.OpOpen, memfs.OpOpenWrite, memfs.OpReadDir, memfs.OpLstat, memfs.OpStat, memfs.OpFreeSpace, memfs.OpClose}},
}

// failing makes the k-th operation of m that f concerns fail. hit returns the
// first that failed.
func failing(m *memfs.FS, f diskFault, k int) (hit func() *memfs.Op) {
	var mu sync.Mutex
	var first *memfs.Op
	n := 0
	m.SetHook(func(op memfs.Op) error {
		if f.kinds == nil && !op.Mutates || f.kinds != nil && !slices.Contains(f.kinds, op.Kind) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if n++; n < k || n > k && !f.forGood {
			return nil
		}
		if first == nil {
			first = &op
		}
		switch {
		case f.half:
			return &memfs.ShortWrite{N: op.Len / 2, Err: f.err}
		case f.done:
			return &memfs.After{Err: f.err}
		}
		return f.err
	})
	return func() *memfs.Op {
		mu.Lock()
		defer mu.Unlock()
		return first
	}
}

// ends runs g on m and returns its error, or that of the settling that failed. A
// run that hangs ends the test.
func ends(t *testing.T, m *memfs.FS, g *gate) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- g.run(m) }()
	select {
	case err := <-done:
		if err == nil {
			err = g.unsettled
		}
		return err
	case <-time.After(2 * time.Minute):
		t.Fatal("the run hangs")
		return nil
	}
}

// TestCrashErrors makes every operation fail, once or from then on: the run ends
// with a typed error, or continues without settling, never with a panic, an exit
// or a hang. Then the same boot continues on a sound disk, or the power is cut.
func TestCrashErrors(t *testing.T) {
	var tried atomic.Int64
	for i, s := range scenes(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for j, f := range diskFaults {
				stride := every(14)
				for k := 1 + (i+j)%stride; ; k += stride {
					m := s.disk.Clone()
					g, acked := s.gate(), s.acked
					g.acked = func(tip record.Tip) { acked = tip }
					hit := failing(m, f, k)
					err := ends(t, m, g)
					op := hit()
					if op == nil {
						noErr(t, err)
						break
					}
					at := fmt.Sprintf("%s, %d (%s %s %d)", f.name, k, op.Kind, op.Name, op.Len)
					var typed *errs.Error
					switch {
					case err == nil && op.Mutates && op.Kind != memfs.OpRemove: // there may be nothing to remove
						t.Errorf("%s: the run does not report it", at)
					case err != nil && !errors.As(err, &typed):
						t.Errorf("%s: untyped error %v", at, err)
					case op.Mutates && f.err == syscall.ENOSPC && !errors.Is(err, errs.ErrNoSpace):
						t.Errorf("%s: not ErrNoSpace: %v", at, err)
					}
					m.SetHook(nil)
					seen := readable(m, acked)
					tried.Add(1)
					for _, c := range powerCuts(k)[:4] {
						if err := sound(m.Crash(c), acked, seen, c.Keep == memfs.None); err != nil {
							t.Errorf("%s, then a power cut, %+v: %v; the run: %v", at, c, err, typed)
						}
					}
					again := &gate{boot: s.boot, sizes: []int{2}, settle: k%2 == 0}
					again.acked = func(tip record.Tip) { acked = tip }
					next := m.Restart()
					if err := again.run(next); err != nil {
						t.Errorf("%s, then a run of the same boot: %v; before: %v", at, err, typed)
						continue
					}
					if err := sound(next.Crash(memfs.Crash{Keep: memfs.None}), acked, newer(acked, seen), true); err != nil {
						t.Errorf("%s, then a run of the same boot and a power cut: %v; before: %v", at, err, typed)
					}
				}
			}
		})
	}
	t.Cleanup(func() { t.Logf("%d faults", tried.Load()) })
}
