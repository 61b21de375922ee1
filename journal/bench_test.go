package journal

import (
	"io/fs"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/autonomyops/edged/internal/durable"
)

// syncCounter counts what reaches the disk as a sync call.
type syncCounter struct {
	durable.FS
	n atomic.Int64
}

func (c *syncCounter) SyncDir(name string) error { c.n.Add(1); return c.FS.SyncDir(name) }
func (c *syncCounter) Create(name string, perm fs.FileMode) (durable.File, error) {
	f, err := c.FS.Create(name, perm)
	return countedFile{f, c}, err
}
func (c *syncCounter) OpenWrite(name string) (durable.File, error) {
	f, err := c.FS.OpenWrite(name)
	return countedFile{f, c}, err
}

type countedFile struct {
	durable.File
	c *syncCounter
}

func (f countedFile) Sync() error     { f.c.n.Add(1); return f.File.Sync() }
func (f countedFile) Datasync() error { f.c.n.Add(1); return f.File.Datasync() }

// pebbleCounter counts the same for Pebble on its own filesystem.
type pebbleCounter struct {
	vfs.FS
	n atomic.Int64
}

func (c *pebbleCounter) Create(name string, w vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, w)
	return pebbleFile{f, c}, err
}
func (c *pebbleCounter) OpenDir(name string) (vfs.File, error) {
	f, err := c.FS.OpenDir(name)
	return pebbleFile{f, c}, err
}

type pebbleFile struct {
	vfs.File
	c *pebbleCounter
}

func (f pebbleFile) Sync() error     { f.c.n.Add(1); return f.File.Sync() }
func (f pebbleFile) SyncData() error { f.c.n.Add(1); return f.File.SyncData() }

// BenchmarkBoot compares one clean boot's use of the journal with bare Pebble
// (open, one synced append, close), boot by boot, each on a directory of its
// own with the same history.
func BenchmarkBoot(b *testing.B) {
	r, err := durable.OpenRoot(b.TempDir())
	noErr(b, err)
	defer r.Close()
	noErr(b, r.Mkdir("bootstrap", 0o750))
	count := &syncCounter{FS: r}
	grown(b, count, 100)
	bare := &pebbleCounter{FS: vfs.Default}
	dir := b.TempDir()
	pebbleBoot := func(n int) {
		o := PebbleOptions()
		o.FS, o.Logger = bare, newFault()
		db, err := pebble.Open(dir, o)
		noErr(b, err)
		raw, err := Encode("00000000-0000-4000-8000-000000000000", 1, Hash{}, entry(n))
		noErr(b, err)
		noErr(b, db.Set(recordKey(uint64(n)), raw, pebble.Sync))
		noErr(b, db.Close())
	}
	for i := range 100 {
		pebbleBoot(i)
	}
	var ours, theirs, open, writer, app []time.Duration
	count.n.Store(0)
	bare.n.Store(0)
	for i := 0; b.Loop(); i++ {
		t0 := time.Now()
		pebbleBoot(1000 + i)
		t1 := time.Now()
		v, err := OpenView(count, DefaultLayout())
		noErr(b, err)
		act, err := v.CheckHead(nil)
		noErr(b, err)
		noErr(b, v.VerifyTail(1000))
		t2 := time.Now()
		w, err := OpenWriter(count, DefaultLayout(), v, act)
		noErr(b, err)
		t3 := time.Now()
		_, err = w.Append(entry(i))
		noErr(b, err)
		t4 := time.Now()
		noErr(b, w.Close())
		t5 := time.Now()
		theirs, ours = append(theirs, t1.Sub(t0)), append(ours, t5.Sub(t1))
		open, writer, app = append(open, t2.Sub(t1)), append(writer, t3.Sub(t2)), append(app, t4.Sub(t3))
	}
	med := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Microseconds())
	}
	b.ReportMetric(med(theirs), "µs/bare")
	b.ReportMetric(med(ours), "µs/boot")
	b.ReportMetric(med(open), "µs/view")
	b.ReportMetric(med(writer), "µs/writer")
	b.ReportMetric(med(app), "µs/append")
	b.ReportMetric(float64(bare.n.Load())/float64(len(ours)), "syncs/bare")
	b.ReportMetric(float64(count.n.Load())/float64(len(ours)), "syncs/boot")
}

// BenchmarkBootLong compares boots on a long history with boots on a short
// one, in turn.
func BenchmarkBootLong(b *testing.B) {
	short, long := bulk(b, 10), bulk(b, 100_000)
	grow(b, long, 1)
	var took [2][]time.Duration
	for b.Loop() {
		for i, r := range []durable.FS{short, long} {
			t0 := time.Now()
			w, _, err := boot(r)
			noErr(b, err)
			_, err = w.Append(entry(1))
			noErr(b, err)
			noErr(b, w.Close())
			took[i] = append(took[i], time.Since(t0))
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	s, l := took[0][len(took[0])/2], took[1][len(took[1])/2]
	b.ReportMetric(float64(s.Microseconds()), "µs/short")
	b.ReportMetric(float64(l.Microseconds()), "µs/long")
	b.ReportMetric(float64(l)/float64(s), "ratio")
}
