package vm

import (
	"math/rand/v2"
	"sync"
	"time"
)

// strata are the parts of a boot that the cuts sweep over, one after the other. Within one, the place
// is random.
const strata = 16

// An aim learns from uncut boots how often the gate writes and how long it takes, and sweeps the cuts
// over that. All rounds of a run share one.
type aim struct {
	sync.Mutex
	of   map[string]boot // by kind, the newest boot that was not cut
	next map[string]int
}

// learn remembers a boot that was not cut.
func (a *aim) learn(kind string, b boot) {
	a.Lock()
	defer a.Unlock()
	a.of[kind] = b
}

// at returns the place of the next cut: seven of eight after a write, the others at any time of the
// gate. The place may be just after the gate's end, when the filesystem has not been unmounted.
func (a *aim) at(rng *rand.Rand, kind string) *cut {
	a.Lock()
	defer a.Unlock()
	b := a.of[kind]
	at := (float64(a.next[kind]%strata) + rng.Float64()) / strata * 1.05
	a.next[kind]++
	if rng.IntN(8) == 0 {
		return &cut{after: time.Duration(at * float64(b.gate))}
	}
	return &cut{writes: 1 + int(at*float64(b.writes)), after: time.Duration(rng.IntN(2000)) * time.Microsecond}
}
