package journal

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal/record"
)

// walk is one random history of a node: runs that end normally, are killed, lose
// power or use a failing disk, one after the other.
type walk struct {
	rng   *rand.Rand
	disk  *memfs.FS
	boot  string
	acked record.Tip
	seen  record.Tip // the newest record that a reader could have read
	trace []string
}

func (w *walk) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

// step is one run and the reboot, power cut or further run after it.
func (w *walk) step() error {
	m, rng := w.disk, w.rng
	g := &gate{boot: w.boot, settle: rng.IntN(3) == 0}
	for range rng.IntN(4) {
		g.sizes = append(g.sizes, 1+rng.IntN(4)*rng.IntN(4)*rng.IntN(2))
	}
	var mu sync.Mutex
	stopped := false
	g.acked = func(tip record.Tip) {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			w.acked = tip
		}
	}
	w.note("%s appends %v, settle %t", w.boot, g.sizes, g.settle)
	hit := func() *memfs.Op { return nil }
	fault := diskFault{}
	stop := 0
	switch at := 1 + rng.IntN(60); rng.IntN(6) {
	case 0, 1:
	case 2, 3: // killed, or no power
		n := 0
		m.SetHook(func(op memfs.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if op.Mutates {
				if n++; n == at {
					m.Ghost()
					stopped, stop = true, n
				}
			}
			return nil
		})
	case 4:
		fault = diskFaults[rng.IntN(len(diskFaults))]
		hit = failing(m, fault, 1+at/3)
	case 5:
		fault.name = "no inodes"
		m.SetInodes(m.Inodes() + rng.Int64N(4))
	}
	err := g.run(m)
	m.SetHook(nil)
	m.SetInodes(-1)
	mu.Lock()
	defer mu.Unlock()
	if op := hit(); op != nil {
		w.note("%s at %s %s: %v, unsettled %v", fault.name, op.Kind, op.Name, err, g.unsettled)
	} else if err != nil && stop == 0 && fault.name != "no inodes" {
		return fmt.Errorf("an honest run: %w", err)
	}
	w.seen = readable(m, newer(w.acked, w.seen))
	// A boot ends in a reboot or a power cut, or continues with another run.
	switch rng.IntN(3) {
	case 0:
		w.note("stopped at %d, same boot", stop)
		w.disk = m.Restart()
	case 1:
		c := memfs.Crash{Keep: memfs.Keep(rng.IntN(3)), Seed: rng.Uint64()}
		w.note("stopped at %d, power cut %+v", stop, c)
		w.disk, w.boot = m.Crash(c), newBoot()
	case 2:
		if stop > 0 || err != nil { // a shutdown writes what the page cache holds
			w.note("stopped at %d, then an orderly reboot", stop)
		}
		w.disk, w.boot = m.Crash(memfs.Crash{Keep: memfs.All}), newBoot()
	}
	if err := complete(w.disk); err != nil {
		return err
	}
	return holds(w.disk.Restart(), record.Tip{}, w.seen)
}

// TestCrashWalk tries random histories of many runs.
func TestCrashWalk(t *testing.T) {
	walks := 1000 / every(20)
	for part := range 4 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			for i := range walks {
				seed := uint64(part*walks + i)
				w := &walk{rng: rand.New(rand.NewPCG(seed, 11)), disk: newRoot(t), boot: newBoot()}
				for n := range 14 {
					if err := w.step(); err != nil {
						t.Errorf("walk %d, step %d: %v\n%s", seed, n, err, strings.Join(w.trace, "\n"))
						break
					}
				}
			}
		})
	}
}
