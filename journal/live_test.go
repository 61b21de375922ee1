package journal

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal/record"
)

// side is one side of a disk that a gate and a reader share: before is called before
// each of its operations, and the reader's lock is the gate's.
type side struct {
	*memfs.FS
	before  func(mutates bool)
	readers *atomic.Int32 // that hold the lock
	shared  *sync.RWMutex
}

func (s side) file(f durable.File, err error) (durable.File, error) {
	if err != nil {
		return nil, err
	}
	return sideFile{f, s}, nil
}

func (s side) Open(name string) (durable.File, error) {
	s.before(false)
	return s.file(s.FS.Open(name))
}

func (s side) OpenWrite(name string) (durable.File, error) {
	s.before(false)
	return s.file(s.FS.OpenWrite(name))
}

func (s side) Create(name string, perm fs.FileMode) (durable.File, error) {
	s.before(true)
	return s.file(s.FS.Create(name, perm))
}

func (s side) Rename(a, b string) error {
	s.before(true)
	return s.FS.Rename(a, b)
}

func (s side) Remove(name string) error {
	s.before(true)
	return s.FS.Remove(name)
}

func (s side) ReadDir(name string) ([]durable.Info, error) {
	s.before(false)
	return s.FS.ReadDir(name)
}

// TryLockShared implements the lock of a state root.
func (s side) TryLockShared() (func(), error) {
	if s.readers == nil || !s.shared.TryRLock() {
		return nil, durable.ErrLockHeld
	}
	s.readers.Add(1)
	return func() {
		s.readers.Add(-1)
		s.shared.RUnlock()
	}, nil
}

type sideFile struct {
	durable.File
	s side
}

func (f sideFile) ReadAt(p []byte, off int64) (int, error) {
	f.s.before(false)
	return f.File.ReadAt(p, off)
}

func (f sideFile) Read(p []byte) (int, error) {
	f.s.before(false)
	return f.File.Read(p)
}

func (f sideFile) Write(p []byte) (int, error) {
	f.s.before(true)
	return f.File.Write(p)
}

// WriteAt writes a block in two halves, so that a reader sees it half written.
func (f sideFile) WriteAt(p []byte, off int64) (int, error) {
	f.s.before(true)
	half := len(p) / 2
	if n, err := f.File.WriteAt(p[:half], off); err != nil {
		return n, err
	}
	f.s.before(true)
	n, err := f.File.WriteAt(p[half:], off+int64(half))
	return half + n, err
}

func (f sideFile) Datasync() error {
	f.s.before(true)
	return f.File.Datasync()
}

// chronicle is the growing list of records that the gates acknowledged.
type chronicle struct {
	mu   sync.Mutex
	tips []record.Tip
}

func (c *chronicle) add(tip record.Tip) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tips = append(c.tips, tip)
}

func (c *chronicle) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.tips)
}

// look opens a live view and checks that it shows exactly a history that was
// acknowledged at some moment since the call began.
func (c *chronicle) look(fsys durable.FS) error {
	least := c.len()
	v, err := OpenLiveView(fsys, small)
	if err != nil {
		return err
	}
	defer v.Close()
	var got []record.Tip
	for rec, err := range v.Records(1, v.Tip().Seq+9) {
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		got = append(got, tipOf(&rec))
	}
	rep, err := Verify(context.Background(), v.Source(), VerifyOptions{})
	if err != nil || len(rep.Findings) > 0 || rep.Head != v.Tip() {
		return fmt.Errorf("verify: %+v, %v", rep, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// The record whose slot is written looks acknowledged to a reader.
	if len(got) < least || len(got) > len(c.tips)+1 {
		return fmt.Errorf("%d records, %d were acknowledged at the beginning and %d are now", len(got), least, len(c.tips))
	}
	for i := range min(len(got), len(c.tips)) {
		if got[i] != c.tips[i] {
			return fmt.Errorf("record %d differs", i+1)
		}
	}
	return nil
}

// gates runs gates, under the lock, until n have ended or stop is closed.
func (c *chronicle) gates(fsys side, n int, stop <-chan struct{}) error {
	for i := range n {
		select {
		case <-stop:
			return nil
		default:
		}
		g := &gate{boot: newBoot(), sizes: []int{1 + i%4}, settle: i%4 != 0, acked: c.add}
		fsys.shared.Lock()
		err := g.run(fsys)
		fsys.shared.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// TestLiveSteps: a reader beside gates that append, settle and compact. Each side
// runs a few operations between any two of the other's.
func TestLiveSteps(t *testing.T) {
	looks, runs := 0, 0
	for seed := range uint64(max(5, 60/every(12))) {
		rng := rand.New(rand.NewPCG(seed, 5))
		m, c := newRoot(t), &chronicle{}
		for range 10 {
			noErr(t, (&gate{boot: newBoot(), settle: true, acked: c.add}).run(m))
		}
		step, done, stop := make(chan struct{}), make(chan error, 1), make(chan struct{})
		var free atomic.Bool // the gates need not wait any more
		lock, readers := &sync.RWMutex{}, &atomic.Int32{}
		go func() {
			done <- c.gates(side{m, func(mutates bool) {
				if mutates && !free.Load() {
					select {
					case <-step:
					case <-stop:
					}
				}
			}, readers, lock}, 1<<20, stop)
		}()
		var ended error
		running := true
		slowness := 2 + rng.IntN(20)
		var mu sync.Mutex
		reader := side{m, func(mutates bool) {
			if mutates {
				t.Error("a reader writes")
			}
			if readers.Load() > 0 {
				return // the gates wait for this reader
			}
			mu.Lock() // a verification reads from several goroutines
			defer mu.Unlock()
			n := rng.IntN(slowness) / (slowness - 1)
			if rng.IntN(200) == 0 {
				n = rng.IntN(60) // the reader pauses
			}
			for ; n > 0 && running; n-- {
				select {
				case step <- struct{}{}:
				case ended = <-done:
					running = false
				}
			}
		}, readers, lock}
		for range 50 {
			looks++
			if err := c.look(reader); err != nil {
				t.Errorf("seed %d, look %d: %v", seed, looks, err)
				break
			}
		}
		free.Store(true)
		close(stop)
		if running {
			ended = <-done
		}
		noErr(t, ended)
		runs += c.len()
	}
	t.Logf("%d looks, %d records", looks, runs)
}

// TestLiveReaders: several readers beside gates, each in a goroutine.
func TestLiveReaders(t *testing.T) {
	m, c := newRoot(t), &chronicle{}
	noErr(t, (&gate{boot: newBoot(), acked: c.add}).run(m))
	s := side{m, func(bool) {}, &atomic.Int32{}, &sync.RWMutex{}}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := c.look(s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	noErr(t, c.gates(s, 60, nil))
	close(stop)
	wg.Wait()
}

// TestLiveStartsOver: after a settling between the frames and the second reading of
// the headers the reader starts again, and sees the new generation.
func TestLiveStartsOver(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	left := 0 // operations of the reader until a gate settles
	reader := side{m, func(bool) {
		if left--; left == 0 {
			settled(t, m, 1)
		}
	}, &atomic.Int32{}, &sync.RWMutex{}}
	look := func() *View {
		v := must[*View](t)(OpenLiveView(reader, small))
		noErr(t, v.Close())
		return v
	}
	look()
	left = -left // the last operation of an undisturbed look
	if v := look(); v.tail.header.generation != 2 || v.Tip().Seq != 4 {
		t.Errorf("generation %d, tip %d", v.tail.header.generation, v.Tip().Seq)
	}
}

// TestLiveAlone: a reader that finds damage or a torn record reports it if no gate
// is running. If one is running, it reports only damage that stays.
func TestLiveAlone(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	lock := &sync.RWMutex{}
	reader := side{m, func(bool) {}, &atomic.Int32{}, lock}
	v := must[*View](t)(OpenView(m, small))
	torn := int64(v.next) * blockSize
	noErr(t, v.Close())
	f := must[durable.File](t)(m.OpenWrite(tailFile))
	_, err := f.WriteAt([]byte(frameMagic), torn)
	noErr(t, err)
	noErr(t, f.Close())
	findings := func() string {
		v := must[*View](t)(OpenLiveView(reader, small))
		defer v.Close()
		return codes(must[Report](t)(Verify(context.Background(), v.Source(), VerifyOptions{})))
	}
	if got := findings(); got != "error torn_tail" {
		t.Errorf("no gate: %s", got)
	}
	lock.Lock()
	if got := findings(); got != "" {
		t.Errorf("beside a gate: %s", got)
	}
	lock.Unlock()
	damageSlot(t, m, 0)
	if got := findings(); got != "warning head_slot_bad, error torn_tail" {
		t.Errorf("no gate, one slot: %s", got)
	}
}
