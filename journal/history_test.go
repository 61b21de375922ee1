package journal

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// The histories in this file are counterexamples: each leads to a lost record, or
// to the refusal of an honest node, if the rule that it names is removed.

// stopAt makes the disk silently ignore everything from the n-th operation that matches.
func stopAt(m *memfs.FS, n int, kind memfs.OpKind, name string) {
	m.SetHook(func(op memfs.Op) error {
		if op.Kind == kind && strings.Contains(op.Name, name) {
			if n--; n == 0 {
				m.Ghost()
			}
		}
		return nil
	})
}

// keepBlocks copies blocks of a file from one disk to another, as if a power cut
// had kept them.
func keepBlocks(t testing.TB, to, from *memfs.FS, name string, first, n int) {
	t.Helper()
	b, was := read(t, to, name), read(t, from, name)
	copy(b[first*blockSize:][:n*blockSize], was[first*blockSize:])
	overwrite(t, to, name, b)
}

// acknowledged returns the newest record that the head file names.
func acknowledged(t testing.TB, m *memfs.FS) record.Tip {
	t.Helper()
	newest, ok := must[HeadReport](t)(ReadHead(m, small)).Newest()
	if !ok {
		t.Fatal("no slot is good")
	}
	return newest.Tip
}

// TestHistoryKilledFrame: a gate is killed between its frame and the sync. The
// next run of the same boot reads that frame, although no disk holds it, and
// writes another after it; a power cut keeps the second and not the first. The
// rule: records of this boot are written again and synced before the run goes on.
func TestHistoryKilledFrame(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	killed := &gate{boot: newBoot(), sizes: []int{1}}
	stopAt(m, 1, memfs.OpDatasync, tailFile)
	noErr(t, killed.run(m))
	m = m.Restart()
	at := m.Clone()
	next := &gate{boot: killed.boot, sizes: []int{1}}
	stopAt(m, 2, memfs.OpDatasync, tailFile) // the first is the one that the rule adds
	noErr(t, next.run(m))
	cut := m.Crash(memfs.Crash{Keep: memfs.None})
	keepBlocks(t, cut, m.Restart(), tailFile, firstFrame+3, 1)
	noErr(t, sound(cut, acknowledged(t, at), acknowledged(t, at), true))
}

// TestHistoryFailedFrame: the sync of a frame fails: the page cache has it, and no
// later sync writes it. The next run of the same boot reads it as a record and
// acknowledges it with its own. The rule: it is written again.
func TestHistoryFailedFrame(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	failed := &gate{boot: newBoot(), sizes: []int{2}}
	m.SetHook(refuse(memfs.OpDatasync, tailFile, syscall.EIO))
	if err := failed.run(m); !errors.Is(err, errs.ErrIO) {
		t.Fatal(err)
	}
	m = m.Restart()
	next := &gate{boot: failed.boot, sizes: []int{1}}
	noErr(t, next.run(m))
	recs, acked := history(t, m), acknowledged(t, m)
	if recs[2].BootID != failed.boot || len(recs) != 4 {
		t.Fatalf("%d records", len(recs))
	}
	noErr(t, sound(m.Crash(memfs.Crash{Keep: memfs.None}), acked, acked, true))
}

// TestHistoryFailedSlot: the sync of a slot fails, and half of it reaches the disk.
// The next run of the same boot appends, its slot overwrites the only good slot on
// the disk, and a power cut tears it. The rule: the newest slot is written again
// and synced first.
func TestHistoryFailedSlot(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1, 1)
	failed := &gate{boot: newBoot(), sizes: []int{1}}
	m.SetHook(refuse(memfs.OpDatasync, headFile, syscall.EIO))
	if err := failed.run(m); !errors.Is(err, errs.ErrIO) {
		t.Fatal(err)
	}
	m = m.Restart()
	seen := acknowledged(t, m) // a reader could have read it
	next := &gate{boot: failed.boot, refs: []Ref{{"f", history(t, m)[0].Journal, seen.Seq, seen.Hash}}}
	noErr(t, next.open(m))
	stopAt(m, 1, memfs.OpDatasync, headFile)
	noErr(t, next.append("Tested", 1))
	noErr(t, next.w.Close())
	for seed := range uint64(64) {
		cut := m.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed})
		g := &gate{boot: newBoot(), refs: next.refs}
		noErr(t, g.run(cut))
		if r := g.action.Rebuilt; r != "" && r != "one slot bad" {
			t.Fatalf("seed %d: %s", seed, r)
		}
	}
}

// tear damages a block as a torn write does.
func tear(t testing.TB, m *memfs.FS, name string, number int) {
	t.Helper()
	b := read(t, m, name)
	clear(b[number*blockSize+100:][:blockSize-100])
	overwrite(t, m, name, b)
}

// TestHistoryFailedHeader: the sync of a new header fails, so that the page cache
// has a generation that no disk has. The next run of the same boot appends a record
// of two blocks to it; a power cut keeps the second. The rule: the header of a
// tail without frames is written again and synced before the first frame.
func TestHistoryFailedHeader(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	failed := open(t, m)
	m.SetHook(refuse(memfs.OpDatasync, tailFile, syscall.EIO))
	if err := failed.w.Settle([]byte("state")); !errors.Is(err, errs.ErrIO) || errors.Is(err, ErrUnsettled) {
		t.Fatal(err)
	}
	_ = failed.w.Close()
	acked := acknowledged(t, m)
	m = m.Restart()
	v := must[*View](t)(OpenView(m, small))
	w := must[*Writer](t)(OpenWriter(v, HeadAction{}, failed.boot))
	if !w.Fresh() {
		t.Fatal("the generation has a frame")
	}
	stopAt(m, 1, memfs.OpDatasync, tailFile)
	_ = must[record.Record](t)(w.Append(entryOf(failed.boot, "Tested", 2)))
	noErr(t, w.Close())
	cut := m.Crash(memfs.Crash{Keep: memfs.None})
	keepBlocks(t, cut, m.Restart(), tailFile, firstFrame+1, 1)
	noErr(t, sound(cut, acked, acked, true))
}

// TestHistoryFullTail: a full tail settles in the middle of a run, again and again,
// and nothing is lost.
func TestHistoryFullTail(t *testing.T) {
	m := newRoot(t)
	var tips []record.Tip
	g := &gate{boot: newBoot(), sizes: []int{9, 9, 9, 9, 17, 17, 1, 17}, acked: func(tip record.Tip) { tips = append(tips, tip) }}
	noErr(t, g.run(m))
	recs := history(t, m.Crash(memfs.Crash{Keep: memfs.None}))
	if len(recs) != len(tips) || len(recs) < 14 {
		t.Fatalf("%d records, %d acknowledged", len(recs), len(tips))
	}
	kinds := ""
	for i, r := range recs {
		if tipOf(&r) != tips[i] {
			t.Errorf("record %d differs", i+1)
		}
		kinds += r.Type[:1]
	}
	if want := ("TT" + strings.Repeat("ST", 9))[:len(kinds)]; kinds != want {
		t.Errorf("kinds %s, want %s", kinds, want)
	}
	noErr(t, tidy(m))
}

// TestHistoryFlushedOnly: the tables of a settling are durable and its header is
// not. The records are in both places; the next settling writes them again and
// continues. The same happens after a kill that left the tables in memory only. The
// rule: a settling never skips records that Pebble already has.
func TestHistoryFlushedOnly(t *testing.T) {
	for _, kept := range []string{"flushed", "killed before the marker is durable"} {
		t.Run(kept, func(t *testing.T) {
			m := newRoot(t)
			boot(t, m, 1)
			settled(t, m, 1)
			g := &gate{boot: newBoot(), sizes: []int{2}, settle: true}
			if kept == "flushed" {
				stopAt(m, 2, memfs.OpWrite, tailFile) // the first is the frame
			} else {
				stopAt(m, 2, memfs.OpSyncDir, "journal") // the first is the manifest's
			}
			noErr(t, g.run(m))
			acked := record.Tip{}
			if kept == "flushed" {
				m = m.Crash(memfs.Crash{Keep: memfs.None})
				v := must[*View](t)(OpenView(m, small))
				if last := must[uint64](t)(settledTip(v)); last != v.Tip().Seq || v.tail.header.base.Seq == last {
					t.Fatalf("settled %d, base %d, tip %d", last, v.tail.header.base.Seq, v.Tip().Seq)
				}
				noErr(t, v.Close())
				g.boot = newBoot()
			} else {
				m = m.Restart()
			}
			acked = acknowledged(t, m)
			again := &gate{boot: g.boot, settle: true}
			noErr(t, again.run(m))
			noErr(t, again.unsettled)
			cut := m.Crash(memfs.Crash{Keep: memfs.None})
			noErr(t, sound(cut, acknowledged(t, m), newer(acked, acknowledged(t, m)), true))
		})
	}
}

func settledTip(v *View) (uint64, error) {
	s, err := v.store()
	if err != nil {
		return 0, err
	}
	return s.Last(), nil
}

// TestHistoryStaleFrames: frames of an older generation follow those of the newest,
// whole and torn. They are never read as records, and a lost head file is rebuilt
// before them. The rule: every block carries the generation.
func TestHistoryStaleFrames(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 4, 3)
	settled(t, m)
	for range 6 { // ends before a first part, a second, a third …
		boot(t, m, 1)
		n := len(history(t, m))
		for _, damage := range []func(d *memfs.FS){
			func(*memfs.FS) {},
			func(d *memfs.FS) { noErr(t, d.Remove(headFile)) },
		} {
			d := m.Clone()
			damage(d)
			g := boot(t, d, 1)
			if recs := history(t, d); recs[n].Prev != recs[n-1].Hash || int(g.w.Tip().Seq) != len(recs) {
				t.Errorf("%d records", len(recs))
			}
		}
	}
}

// TestHistoryLostHeader: the newest header is damaged. It is derived from the first
// frame of its generation: no record of the generation is lost, the header is
// written again, and the older one stays until then.
func TestHistoryLostHeader(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	for n := range 3 {
		settled(t, m, 1)
		boot(t, m, 2)
		v := must[*View](t)(OpenView(m, small))
		slot, generation := v.tail.slot, v.tail.header.generation
		noErr(t, v.Close())
		d := m.Clone()
		tear(t, d, tailFile, slot)
		acked := acknowledged(t, d)
		v = must[*View](t)(OpenView(d, small))
		if !v.tail.derived || v.tail.slot != slot || v.tail.header.generation != generation || v.Tip() != acked {
			t.Fatalf("%d: %+v, tip %v", n, v.tail.header, v.Tip())
		}
		noErr(t, v.Close())
		noErr(t, sound(d.Clone(), acked, acked, true))
		whole := d.Clone()
		boot(t, whole, 1)
		v = must[*View](t)(OpenView(whole, small))
		if v.tail.derived || v.tail.slot != slot || v.tail.header.generation != generation {
			t.Errorf("%d: the header was not written again: %+v", n, v.tail.header)
		}
		noErr(t, v.Close())
		// The power is cut while the header is written again.
		for i, c := range powerCuts(1) {
			cut := d.Clone()
			stopAt(cut, 1, memfs.OpDatasync, tailFile)
			noErr(t, (&gate{boot: newBoot(), sizes: []int{1}}).run(cut))
			if err := sound(cut.Crash(c), acked, acked, i == 0); err != nil {
				t.Errorf("%d, %+v: %v", n, c, err)
			}
		}
		// No header is derived from another record in that place.
		other := d.Clone()
		writeFrameAt(t, other, firstFrame, generation, entryOf("b", "Forged", 1), record.Tip{Seq: acked.Seq - 2, Hash: acked.Hash})
		refused(t, other, nil, errs.ErrCorrupt)
		// Nor is one while both headers are bad, unless Pebble holds the record
		// before it.
		tear(t, d, tailFile, 1-slot)
		noErr(t, sound(d.Clone(), acked, acked, true))
		tear(t, d, tailFile, firstFrame)
		refused(t, d, nil, errs.ErrCorrupt)
	}
}

// TestHistoryTornHeader: the power is cut while a new header is written. The older
// one is used, because it is in another block.
func TestHistoryTornHeader(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	for range 3 {
		settled(t, m, 1)
		acked := acknowledged(t, m)
		d := m.Clone()
		w := open(t, d).w
		stopAt(d, 1, memfs.OpDatasync, tailFile)
		noErr(t, w.Settle(nil))
		was, slot := w.v.tail.header.generation, w.v.tail.slot
		noErr(t, w.Close())
		cut := d.Crash(memfs.Crash{Keep: memfs.None})
		tear(t, cut, tailFile, slot)
		v := must[*View](t)(OpenView(cut, small))
		if v.tail.derived || v.tail.header.generation != was-1 {
			t.Errorf("generation %d of %d is used", v.tail.header.generation, was)
		}
		noErr(t, v.Close())
		noErr(t, sound(cut, acked, acked, true))
	}
}

// writeFrameAt puts a frame into the tail as a gate would write it.
func writeFrameAt(t testing.TB, m *memfs.FS, block int, generation uint64, e record.Entry, prev record.Tip) {
	t.Helper()
	v := must[*View](t)(OpenView(m, small))
	id := v.text
	noErr(t, v.Close())
	raw := must[[]byte](t)(record.Encode(id, prev.Seq+1, prev.Hash, e))
	b := read(t, m, tailFile)
	copy(b[block*blockSize:], encodeFrame(generation, prev.Seq+1, record.HashOf(raw), raw, block))
	overwrite(t, m, tailFile, b)
}

// TestHistoryNewerFrame: a frame of a newer generation than the newest header's,
// anywhere but in the first place, is damage: its header was durable before it.
func TestHistoryNewerFrame(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1, 1)
	tip := acknowledged(t, m)
	for _, behind := range []int{0, 1, 9} {
		d := m.Clone()
		writeFrameAt(t, d, firstFrame+3+behind, 2, entryOf("b", "Tested", 1), tip)
		refused(t, d, nil, errs.ErrCorrupt)
	}
}

// TestHistoryHeadBehindBase: only acknowledged records settle. A settling that
// finds a record that an earlier boot did not acknowledge writes its slot first.
// Otherwise the head file would be behind the base, as if somebody had put an older
// one back.
func TestHistoryHeadBehindBase(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1, 1)
	old := read(t, m, headFile)
	stopAt(m, 1, memfs.OpWrite, headFile)
	noErr(t, (&gate{boot: newBoot(), sizes: []int{1}}).run(m))
	m = m.Crash(memfs.Crash{Keep: memfs.None})
	if v := must[*View](t)(OpenView(m, small)); v.Tip().Seq != acknowledged(t, m).Seq+1 {
		t.Fatalf("tip %v, head %v", v.Tip(), acknowledged(t, m))
	}
	w := open(t, m).w
	noErr(t, w.Settle(nil))
	noErr(t, w.Close())
	g := boot(t, m, 1)
	if g.action != (HeadAction{}) {
		t.Errorf("an honest node: %+v", g.action)
	}
	// An older head file that is put back is reported, and nothing is lost.
	overwrite(t, m, headFile, old)
	if g := boot(t, m, 1); !g.action.BehindBase {
		t.Errorf("an older head file: %+v", g.action)
	}
	if g := boot(t, m, 1); g.action != (HeadAction{}) {
		t.Errorf("afterwards: %+v", g.action)
	}
}

// TestHistoryTornLastFrame: with both slots bad, a torn last frame cannot be
// distinguished from a lost one, so it is refused. So is a frame that follows a gap.
func TestHistoryTornLastFrame(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1, 2)
	v := must[*View](t)(OpenView(m, small))
	end := v.next
	noErr(t, v.Close())
	acked := acknowledged(t, m)
	stopAt(m, 1, memfs.OpDatasync, tailFile)
	noErr(t, (&gate{boot: newBoot(), sizes: []int{2}}).run(m))
	torn := m.Crash(memfs.Crash{Keep: memfs.None})
	keepBlocks(t, torn, m.Restart(), tailFile, end+1, 1) // the second block of two
	whole := m.Crash(memfs.Crash{Keep: memfs.All})
	for _, lose := range map[string]func(d *memfs.FS){
		"bad":    func(d *memfs.FS) { damageSlot(t, d, 0); damageSlot(t, d, 1) },
		"absent": func(d *memfs.FS) { noErr(t, d.Remove(headFile)); d.SyncAll() },
	} {
		d := torn.Clone()
		lose(d)
		noErr(t, sound(d, acked, acked, true)) // the first block is unwritten: there was no frame
		for part := range 2 {
			d = whole.Clone()
			tear(t, d, tailFile, end+part)
			noErr(t, sound(d.Clone(), acked, acked, true)) // the head file distinguishes
			lose(d)
			refused(t, d, nil, ErrRolledBack)
		}
		// A record in the middle is zeroed: the one after it shows that.
		d = whole.Clone()
		b := read(t, d, tailFile)
		clear(b[(firstFrame+1)*blockSize:][:blockSize])
		overwrite(t, d, tailFile, b)
		lose(d)
		refused(t, d, nil, errs.ErrCorrupt)
	}
}

// TestHistoryTwoPlaces: records that a failed settling left in Pebble are no newer
// history than the tail's, and different records in both places are damage.
func TestHistoryTwoPlaces(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	settled(t, m, 1)
	g := &gate{boot: newBoot(), sizes: []int{1}, settle: true}
	stopAt(m, 2, memfs.OpWrite, tailFile)
	noErr(t, g.run(m))
	m = m.Crash(memfs.Crash{Keep: memfs.None})
	recs := history(t, m)
	tip := recs[len(recs)-2]
	d := m.Clone()
	writeFrameAt(t, d, firstFrame+1, 2, entryOf("b", "Forged", 1), record.Tip{Seq: tip.Seq, Hash: tip.Hash})
	noErr(t, ResetHead(d, small, tip.Journal, tipOf(&tip)))
	d.SyncAll()
	refused(t, d, nil, errs.ErrCorrupt)

	// The frames are gone and Pebble holds their records: the journal continues
	// from Pebble, and a new generation begins before the next append.
	d = m.Clone()
	tear(t, d, tailFile, firstFrame)
	v := must[*View](t)(OpenView(d, small))
	if v.Tip() != tipOf(&recs[len(recs)-1]) || len(v.frames) != 0 || v.Tail() != (TailUse{FreeBytes: 18 * blockSize}) {
		t.Errorf("tip %v, %d frames, %+v", v.Tip(), len(v.frames), v.Tail())
	}
	noErr(t, v.Close())
	acked := acknowledged(t, d)
	noErr(t, sound(d.Clone(), acked, acked, false))
	boot(t, d, 1)
	boot(t, d, 1)
	if n := len(history(t, d)); n != len(recs)+3 {
		t.Errorf("%d records, want %d", n, len(recs)+3)
	}
	v = must[*View](t)(OpenView(d, small))
	defer v.Close()
	if v.tail.header.generation != 3 {
		t.Errorf("generation %d", v.tail.header.generation)
	}
}

// TestHistoryNewName: a gate is killed after it renamed the journal, or the head
// file, into place, and before it synced the name. The next run of the same boot
// appends to it; a power cut removes no name.
func TestHistoryNewName(t *testing.T) {
	for _, dir := range []string{".", "bootstrap"} {
		m := newRoot(t)
		g := &gate{boot: newBoot()}
		m.SetHook(func(op memfs.Op) error {
			if op.Kind == memfs.OpSyncDir && op.Name == dir {
				m.Ghost()
			}
			return nil
		})
		noErr(t, g.run(m))
		m = m.Restart()
		if found := must[Presence](t)(Inspect(m, small)); !found.Journal {
			t.Fatal("no journal")
		}
		next := &gate{boot: g.boot, sizes: []int{1}}
		noErr(t, next.run(m))
		acked := acknowledged(t, m)
		cut := m.Crash(memfs.Crash{Keep: memfs.None})
		if found := must[Presence](t)(Inspect(cut, small)); !found.Journal || !found.Head {
			t.Errorf("%s: %+v", dir, found)
			continue
		}
		noErr(t, sound(cut, acked, acked, true))
	}
}
