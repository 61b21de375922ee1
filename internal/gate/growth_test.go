package gate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal"
)

// Limits of a journal directory, however long the history:
// this many files, and this many bytes more than one and a half times the records'.
const (
	mostFiles = 32
	mostExtra = 8 << 20
)

// growthBoots is the length of the history: EDGED_GROWTH, or what a plain run
// has time for.
func growthBoots(t *testing.T) int {
	if text := os.Getenv("EDGED_GROWTH"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 10 {
			t.Fatalf("EDGED_GROWTH is %q, wanted a number of boots from 10", text)
		}
		return n
	}
	if memfs.RaceDetector {
		return 100
	}
	return 1000
}

// growthPoint is the journal after so many boots.
type growthPoint struct {
	boots   int
	records uint64
	raw     int64         // bytes of all records
	disk    int64         // bytes of all files under journal/
	files   int           // under journal/ now
	most    int           // the most files after any boot so far
	wall    time.Duration // median of the newest boots
	cpu     time.Duration // mean of the newest boots, of the whole process
}

// TestGrowth boots one node again and again on a real disk, every flush waited
// for and only the start of a process left out, with another kernel at every
// 500th boot. However long the history, the journal's files and bytes stay
// bounded. The cost of a boot is reported and not judged, because times depend on the machine.
func TestGrowth(t *testing.T) {
	createTails(t, realTail)
	boots := growthBoots(t)
	n := newNode(t)
	n.certificate(20 * 365 * 24 * time.Hour)
	n.boot(ExitOK)
	n.deploy(emptyManifest)
	g := &grown{node: n}
	young := n.file("young")
	var points []growthPoint
	for i := 2; i <= boots; i++ {
		if i%500 == 0 {
			n.kernel = fmt.Sprintf("6.8.0-%d-generic", 101+i/500)
		}
		g.boot()
		if files := len(g.listing()); files > mostFiles {
			t.Fatalf("after %d boots the journal has %d files, at most %d are meant", i, files, mostFiles)
		} else {
			g.most = max(g.most, files)
		}
		if i == 10 {
			g.copyTo(young)
		}
		if growthMark(i, boots) {
			points = append(points, g.point(i))
			g.wall, g.cpu = nil, nil
		}
	}
	g.verify()
	for _, p := range points {
		t.Logf("%6d boots: %7d records, median %v, %v CPU a boot, %2d files (at most %d), %d bytes, %.2f of the records'",
			p.boots, p.records, p.wall.Round(10*time.Microsecond), p.cpu.Round(10*time.Microsecond), p.files, p.most, p.disk, float64(p.disk)/float64(p.raw))
	}
	g.asYoung(young)
	side := g.beside(young)
	t.Log(side)
	if dir := os.Getenv("EDGED_GROWTH_OUT"); dir != "" {
		n.check(writeGrowth(dir, points, side))
	}
}

// growthMark reports whether the journal is looked at after i boots: at 1, 2
// and 5 of each power of ten, from 10, and at the end.
func growthMark(i, last int) bool {
	if i == last {
		return true
	}
	for i%10 == 0 {
		if i /= 10; i == 1 || i == 2 || i == 5 {
			return true
		}
	}
	return false
}

// grown is the node of a growth test and what its boots took.
type grown struct {
	*node
	wall []time.Duration
	cpu  []time.Duration
	most int
	seen uint64 // records whose bytes are counted
	sum  int64
}

// timed boots once.
func (g *grown) timed() (wall, cpu time.Duration) {
	g.t.Helper()
	var before, after syscall.Rusage
	g.check(syscall.Getrusage(syscall.RUSAGE_SELF, &before))
	began := time.Now()
	g.node.boot(ExitOK)
	wall = time.Since(began)
	g.check(syscall.Getrusage(syscall.RUSAGE_SELF, &after))
	return wall, used(after) - used(before)
}

func used(r syscall.Rusage) time.Duration { return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }

// boot boots, and keeps what the newest boots took.
func (g *grown) boot() {
	const newest = 240 // seven of them settle
	wall, cpu := g.timed()
	g.wall, g.cpu = append(g.wall, wall), append(g.cpu, cpu)
	if len(g.wall) > newest {
		g.wall, g.cpu = g.wall[1:], g.cpu[1:]
	}
}

func (g *grown) listing() []os.DirEntry {
	g.t.Helper()
	entries, err := os.ReadDir(g.path("journal"))
	g.check(err)
	return entries
}

// point measures the journal, and fails if it is larger than allowed.
func (g *grown) point(boots int) growthPoint {
	g.t.Helper()
	p := growthPoint{boots: boots, most: g.most, wall: median(g.wall), cpu: mean(g.cpu)}
	for _, e := range g.listing() {
		info, err := e.Info()
		g.check(err)
		p.files, p.disk = p.files+1, p.disk+info.Size()
	}
	g.view(func(v *journal.View) {
		p.records = v.Tip().Seq
		for rec, err := range v.RawRecords(g.seen+1, p.records) {
			g.check(err)
			g.sum += int64(len(rec.Raw))
		}
		g.seen, p.raw = p.records, g.sum
	})
	if p.disk > p.raw*3/2+mostExtra {
		g.t.Errorf("after %d boots %d bytes of records take %d, at most %d are meant", boots, p.raw, p.disk, p.raw*3/2+mostExtra)
	}
	return p
}

func (g *grown) view(use func(v *journal.View)) { g.t.Helper(); g.viewOf(g.root, use) }

func (g *grown) viewOf(dir string, use func(v *journal.View)) {
	g.t.Helper()
	root, err := durable.OpenRootReadOnly(dir)
	g.check(err)
	defer root.Close()
	view, err := journal.OpenView(root, layout)
	g.check(err)
	defer view.Close()
	use(view)
}

// verify proves that growing has lost nothing.
func (g *grown) verify() {
	g.t.Helper()
	g.view(func(v *journal.View) {
		rep, err := journal.Verify(context.Background(), v.Source(), journal.VerifyOptions{})
		g.check(err)
		if !rep.OK || rep.Head != v.Tip() || rep.Events != v.Tip().Seq {
			g.t.Errorf("the grown journal: %+v", rep)
		}
	})
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func mean(d []time.Duration) time.Duration {
	sum := time.Duration(0)
	for _, x := range d {
		sum += x
	}
	return sum / time.Duration(len(d))
}

// copyTo keeps what a boot reads of the state root, flushed to the disk.
func (g *grown) copyTo(dir string) {
	g.t.Helper()
	g.check(os.RemoveAll(dir))
	for _, name := range []string{"journal", "epoch", "runtime", "identity"} {
		g.check(os.CopyFS(filepath.Join(dir, name), os.DirFS(g.path(name))))
	}
	for _, name := range []string{"journal_head", "os_fingerprint.json"} {
		g.writeFile(filepath.Join(dir, "bootstrap", name), g.read("bootstrap/"+name))
	}
	g.flush(dir)
}
