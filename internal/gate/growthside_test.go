package gate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal"
)

// growthSide is the grown node's boot beside a young node's.
type growthSide struct {
	old, young       time.Duration // median of the boots
	oldCPU, youngCPU time.Duration // mean
	pairs            int
}

// ratio is how much more an old node's boot costs.
func (s growthSide) ratio() float64    { return float64(s.old) / float64(s.young) }
func (s growthSide) ratioCPU() float64 { return float64(s.oldCPU) / float64(s.youngCPU) }

func (s growthSide) String() string {
	return fmt.Sprintf("%d pairs of boots, one of the old node and one of itself after 10 boots: %.2f (%v and %v), in CPU time %.2f (%v and %v)",
		s.pairs, s.ratio(), s.old.Round(10*time.Microsecond), s.young.Round(10*time.Microsecond),
		s.ratioCPU(), s.oldCPU.Round(10*time.Microsecond), s.youngCPU.Round(10*time.Microsecond))
}

// asYoung lets the grown node boot until its tail holds as many records as that
// of its younger self.
func (g *grown) asYoung(young string) {
	g.t.Helper()
	records := func(dir string) (n int) {
		g.viewOf(dir, func(v *journal.View) { n = v.Tail().Records })
		return n
	}
	for want := records(young); records(g.root) != want; {
		g.boot()
	}
}

// keepTail keeps what a clean boot writes of a node; the function returned puts
// it back, in place and flushed.
func (g *grown) keepTail(dir string) (putBack func()) {
	g.t.Helper()
	kept := map[string][]byte{}
	for _, name := range []string{"journal/tail", "bootstrap/journal_head"} {
		kept[name] = g.must(os.ReadFile(filepath.Join(dir, name)))
	}
	return func() {
		g.t.Helper()
		for name, data := range kept {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
			g.check(err)
			_, err = f.WriteAt(data, 0)
			g.check(errors.Join(err, f.Sync(), f.Close()))
		}
	}
}

// beside boots the grown node and its own younger self in turn, so that what
// else the machine does meets both.
func (g *grown) beside(young string) growthSide {
	g.t.Helper()
	s := growthSide{pairs: 60}
	if memfs.RaceDetector {
		s.pairs = 3
	}
	kernel, again := g.kernel, g.root
	youngTail, oldTail := g.keepTail(young), g.keepTail(g.root)
	var old, fresh, oldCPU, freshCPU []time.Duration
	for range s.pairs {
		// Each stays as it was, with as full a tail.
		oldTail()
		wall, cpu := g.timed()
		old, oldCPU = append(old, wall), append(oldCPU, cpu)
		youngTail()
		g.env["EDGE_STATE_ROOT"], g.root, g.kernel = young, young, "6.8.0-101-generic"
		wall, cpu = g.timed()
		fresh, freshCPU = append(fresh, wall), append(freshCPU, cpu)
		g.root, g.kernel = again, kernel
		delete(g.env, "EDGE_STATE_ROOT")
	}
	s.old, s.oldCPU, s.young, s.youngCPU = median(old), mean(oldCPU), median(fresh), mean(freshCPU)
	return s
}

// flush makes a copied tree durable, so that the next boot does not pay for
// the copy.
func (g *grown) flush(dir string) {
	g.t.Helper()
	g.check(filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			_ = f.Close() // the first error is reported
			return fmt.Errorf("flush %s: %w", path, err)
		}
		return f.Close()
	}))
}
