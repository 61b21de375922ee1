package gate

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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

// beside boots the grown node and its own younger self in turn, so that what
// else the machine does meets both.
func (g *grown) beside(young string) growthSide {
	g.t.Helper()
	s := growthSide{pairs: 60}
	if raceDetector {
		s.pairs = 3
	}
	kernel, again, keep := g.kernel, g.root, g.file("young.keep")
	g.check(os.CopyFS(filepath.Join(keep, "journal"), os.DirFS(filepath.Join(young, "journal"))))
	head := g.must(os.ReadFile(filepath.Join(young, "bootstrap/journal_head")))
	var old, fresh, oldCPU, freshCPU []time.Duration
	for range s.pairs {
		wall, cpu := g.timed()
		old, oldCPU = append(old, wall), append(oldCPU, cpu)
		// The young node stays as young as it was.
		g.check(os.RemoveAll(filepath.Join(young, "journal")))
		g.check(os.CopyFS(filepath.Join(young, "journal"), os.DirFS(filepath.Join(keep, "journal"))))
		g.writeFile(filepath.Join(young, "bootstrap/journal_head"), head)
		g.flush(young)
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
			_ = f.Close() // the first error is told
			return fmt.Errorf("flush %s: %w", path, err)
		}
		return f.Close()
	}))
}
