package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/journal/internal/store"
	"github.com/autonomyops/edged/journal/record"
)

// scene is a disk and the run that is going to be interrupted on it.
type scene struct {
	name   string
	disk   *memfs.FS
	acked  record.Tip // of the disk, before the run
	boot   string     // of the run; equal to that of the disk's newest records if the run follows a kill
	sizes  []int
	settle bool
}

func (s scene) gate() *gate { return &gate{boot: s.boot, sizes: s.sizes, settle: s.settle} }

// scenes are the situations in which a run can begin.
func scenes(t testing.TB) []scene {
	t.Helper()
	var out []scene
	add := func(name string, m *memfs.FS, s scene) {
		s.name, s.disk = name, m
		if s.boot == "" {
			s.boot = newBoot()
		}
		head := must[HeadReport](t)(ReadHead(m, small))
		if newest, ok := head.Newest(); ok {
			s.acked = newest.Tip
		} else if n := len(mayHistory(t, m)); n > 0 {
			s.acked = tipOf(&mayHistory(t, m)[n-1])
		}
		out = append(out, s)
	}
	m := newRoot(t)
	add("create", m.Clone(), scene{sizes: []int{1, 2}})
	add("create and settle", m.Clone(), scene{sizes: []int{1}, settle: true})
	boot(t, m, 1)
	boot(t, m, 2)
	add("append", m.Clone(), scene{sizes: []int{1, 3, 1}})
	add("settle", m.Clone(), scene{sizes: []int{2, 1}, settle: true})
	add("append nothing", m.Clone(), scene{})
	settled(t, m, 1)
	add("append in the second generation", m.Clone(), scene{sizes: []int{2, 1}})
	for range 4 {
		settled(t, m, 1)
	}
	boot(t, m, 8)
	add("full", m.Clone(), scene{sizes: []int{9, 2}})

	many := m.Clone()
	for tables(t, many) < maxTables {
		settled(t, many, 1)
	}
	add("compact", many, scene{sizes: []int{1}, settle: true})

	// One slot of the head file is bad; both are bad; the file is absent.
	one, both, none := m.Clone(), m.Clone(), m.Clone()
	damageSlot(t, one, 0)
	add("one slot", one, scene{sizes: []int{1}})
	damageSlot(t, both, 0)
	damageSlot(t, both, 1)
	add("both slots", both, scene{sizes: []int{1}})
	noErr(t, none.Remove(headFile))
	none.SyncAll()
	add("no head file", none, scene{sizes: []int{1}, settle: true})

	// A crash at each step of a run that settles leaves: the frame without its
	// slot, the tables without the header, the header without a frame.
	for _, stop := range []struct {
		name string
		at   func(memfs.Op) bool
	}{
		{"unacknowledged", func(op memfs.Op) bool { return op.Kind == memfs.OpWrite && op.Name == headFile }},
		{"flushed", func(op memfs.Op) bool { return op.Kind == memfs.OpWrite && op.Name == tailFile }},
		{"fresh", func(op memfs.Op) bool { return op.Kind == memfs.OpWrite && op.Name == tailFile && op.Len == blockSize }},
	} {
		d := m.Clone()
		g := &gate{boot: newBoot(), sizes: []int{1}, settle: stop.name != "unacknowledged"}
		noErr(t, g.open(d))
		n := 0
		d.SetHook(func(op memfs.Op) error {
			if stop.at(op) {
				// The frame is the first write of a settling run to the tail, the
				// snapshot the second, the header the third, its frame the fourth.
				if n++; n == map[string]int{"unacknowledged": 1, "flushed": 2, "fresh": 3}[stop.name] {
					d.Ghost()
				}
			}
			return nil
		})
		_ = g.work()
		noErr(t, g.w.Close())
		after := d.Crash(memfs.Crash{Keep: memfs.None})
		add(stop.name, after, scene{sizes: []int{2, 1}})
		add(stop.name+", settle", after.Clone(), scene{sizes: []int{1}, settle: true})
		add(stop.name+", same boot", d.Restart(), scene{boot: g.boot, sizes: []int{2, 1}})
	}
	return out
}

// mayHistory is history, except that it is empty if there is no journal.
func mayHistory(t testing.TB, fsys durable.FS) []record.Record {
	t.Helper()
	if found := must[Presence](t)(Inspect(fsys, small)); !found.Journal {
		return nil
	}
	return history(t, fsys)
}

// tables counts the tables in journal/.
func tables(t testing.TB, fsys durable.FS) (n int) {
	t.Helper()
	for _, name := range names(t, fsys) {
		if strings.HasSuffix(name, ".sst") {
			n++
		}
	}
	return n
}

// point is a moment in a run: just before an operation that changes the disk,
// or after the last one.
type point struct {
	n     int
	op    memfs.Op
	disk  *memfs.FS // in use; crash or restart it
	acked record.Tip
}

// points calls do before every stride-th operation of a run of g on m that changes
// the disk. It returns the run's error.
func points(m *memfs.FS, g *gate, acked record.Tip, stride int, do func(point)) error {
	var mu sync.Mutex // Pebble's goroutines call the hook too
	n := 0
	g.acked = func(tip record.Tip) {
		mu.Lock()
		defer mu.Unlock()
		acked = tip
	}
	m.SetHook(func(op memfs.Op) error {
		if !op.Mutates {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if n++; n%stride == 0 {
			do(point{n, op, m, acked})
		}
		return nil
	})
	err := g.run(m)
	m.SetHook(nil)
	n++
	do(point{n, memfs.Op{Kind: "end"}, m, acked})
	return err
}

func (p point) String() string {
	return fmt.Sprintf("change %d (%s %s %d), record %d acknowledged", p.n, p.op.Kind, p.op.Name, p.op.Len, p.acked.Seq)
}

// readable returns the newest record that a reader could have read at this
// moment: the one in the page cache's head file.
func readable(m *memfs.FS, acked record.Tip) record.Tip {
	disk := m.Restart()
	head, err := ReadHead(disk, small)
	if err != nil {
		return acked
	}
	newest, _ := head.Newest()
	return newer(acked, newest.Tip)
}

// newer returns the later of two records of one journal.
func newer(a, b record.Tip) record.Tip {
	if b.Seq > a.Seq {
		return b
	}
	return a
}

// powerCuts returns the power cuts that are tried at one moment.
func powerCuts(seed int) []memfs.Crash {
	cuts := []memfs.Crash{{Keep: memfs.None}, {Keep: memfs.All}}
	for s := range 6 {
		cuts = append(cuts, memfs.Crash{Keep: memfs.Random, Seed: uint64(seed)<<8 + uint64(s)})
	}
	return cuts
}

// sound checks that a boot after a power cut succeeds on this disk: no file is
// half written under its final name, everything up to acked is unchanged, the
// chain verifies, and the next boots append, settle and leave no extra file. seen
// is the newest record that a reader could have read.
func sound(d *memfs.FS, acked, seen record.Tip, deep bool) error {
	if err := complete(d); err != nil {
		return err
	}
	if err := holds(d, acked, seen); err != nil {
		return err
	}
	for range 2 {
		g := &gate{boot: newBoot(), sizes: []int{1}, settle: deep}
		if err := errors.Join(g.run(d), g.unsettled); err != nil {
			return fmt.Errorf("the next boot: %w", err)
		}
		if !deep {
			return nil
		}
	}
	if err := holds(d, seen, seen); err != nil {
		return fmt.Errorf("after the next boot: %w", err)
	}
	return tidy(d)
}

// complete checks that no file is half written under its final name.
func complete(d *memfs.FS) error {
	for name, size := range map[string]int64{tailFile: small.tailLength(), headFile: 2 * blockSize} {
		info, err := d.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := d.Lstat("journal"); err == nil && name == tailFile {
				return errors.New("a journal without a tail")
			}
			continue
		}
		if err != nil || info.Size != size {
			return fmt.Errorf("%s has %d bytes, not %d; %v", name, info.Size, size, err)
		}
	}
	return nil
}

// holds checks that a gate continues from the disk with seen in its chain, and
// that a reader sees acked.
func holds(d *memfs.FS, acked, seen record.Tip) error {
	if seen.Seq == 0 {
		return nil
	}
	v, err := OpenView(d, small)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer v.Close()
	if _, err := v.CheckHead([]Ref{{"a projection", v.ID(), seen.Seq, seen.Hash}}); err != nil {
		return fmt.Errorf("check the head: %w", err)
	}
	if err := v.verifyFrom(1); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	live, err := OpenLiveView(d, small)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer live.Close()
	if live.Tip().Seq < acked.Seq {
		return fmt.Errorf("a reader sees %d records of %d", live.Tip().Seq, acked.Seq)
	}
	return nil
}

// tidy checks that a journal that has settled holds its tail, the files in force,
// and nothing else.
func tidy(d *memfs.FS) error {
	root, err := durable.Names(d, ".")
	if err != nil || !slices.Equal(root, []string{"bootstrap", "journal"}) {
		return fmt.Errorf("the state root holds %q, %v", root, err)
	}
	v, err := OpenView(d, small)
	if err != nil {
		return err
	}
	defer v.Close()
	var want []string
	for _, f := range v.tail.header.files {
		want = append(want, f.Name)
	}
	want = append(want, TailName)
	slices.Sort(want)
	have, err := durable.Names(d, "journal")
	if err != nil || !slices.Equal(have, want) {
		return fmt.Errorf("journal/ holds %q, the header says %q; %v", have, want, err)
	}
	s, err := store.Open(d, "journal")
	if err != nil {
		return err
	}
	defer s.Close()
	live, err := s.Tables()
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, n := range have {
		switch {
		case strings.HasSuffix(n, ".sst") && !slices.Contains(live, n):
			return fmt.Errorf("%s is left behind", n)
		case strings.HasPrefix(n, "MANIFEST-"), strings.HasPrefix(n, "marker."):
			count[n[:9]]++
		}
	}
	// Pebble keeps one manifest before the one in force.
	if count["MANIFEST-"] > 2 || count["marker.ma"] != 1 || count["marker.fo"] != 1 || len(have) > 32 {
		return fmt.Errorf("journal/ holds %q", have)
	}
	return nil
}

// TestCrashPower cuts the power before every operation of a run that changes
// the disk, with all, none or a random part of what was not synced lost.
func TestCrashPower(t *testing.T) {
	var tried atomic.Int64
	for _, s := range scenes(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			err := points(s.disk.Clone(), s.gate(), s.acked, 1, func(p point) {
				seen := readable(p.disk, p.acked)
				for i, c := range powerCuts(p.n) {
					tried.Add(1)
					if err := sound(p.disk.Crash(c), p.acked, seen, crashFull || i == p.n%8); err != nil {
						t.Errorf("power cut at %v, %+v: %v", p, c, err)
					}
				}
			})
			noErr(t, err)
		})
	}
	t.Cleanup(func() { t.Logf("%d power cuts", tried.Load()) })
}

// TestCrashKill kills a run at every operation: the next run of the same boot
// reads writes that no disk holds. It continues, and the power is cut during it.
func TestCrashKill(t *testing.T) {
	var tried atomic.Int64
	for _, s := range scenes(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			err := points(s.disk.Clone(), s.gate(), s.acked, every(3), func(p point) {
				seen := readable(p.disk, p.acked)
				again := &gate{boot: s.boot, sizes: []int{2, 1}, settle: p.n%3 == 0}
				err := points(p.disk.Restart(), again, p.acked, every(8), func(q point) {
					seen := readable(q.disk, newer(q.acked, seen))
					for i, c := range powerCuts(p.n<<6 + q.n) {
						if !crashFull && i > 3 {
							break
						}
						tried.Add(1)
						if err := sound(q.disk.Crash(c), q.acked, seen, i == q.n%8); err != nil {
							t.Errorf("killed at %v, then a power cut at %v, %+v: %v", p, q, c, err)
						}
					}
				})
				if err != nil {
					t.Errorf("killed at %v: the next run: %v", p, err)
				}
			})
			noErr(t, err)
		})
	}
	t.Cleanup(func() { t.Logf("%d power cuts after a kill", tried.Load()) })
}
