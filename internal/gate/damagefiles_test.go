package gate

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/journal"
	"github.com/autonomyops/edged/machine"
)

// The small node that is damaged has booted a few times, through an update, a
// repair of its head file and one of a projection, and has settled twice; so its
// journal holds several tables, both headers of its tail and both snapshots, and
// records of most kinds that a boot depends on.
func smallNode(t *testing.T) *patient {
	createTails(t, smallTail)
	m := newMemNode(t)
	past := smallLife(m)
	return newPatient(t, m, past...)
}

// smallLife lives that life, and keeps the disk after each of its days.
func smallLife(m *memNode) (past []older) {
	day := func(name string) {
		m.t.Helper()
		m.disk.SyncAll()
		past = append(past, newOlder(m.t, name, m.disk.Clone()))
	}
	m.firstBoot()
	day("after the first boot")
	m.boot(ExitOK)
	day("after a clean boot")
	m.kernel += "+1"
	m.boot(ExitOK)
	day("after the update")
	m.settles()
	day("after it settled")
	head := m.get("bootstrap/journal_head")
	head[5] ^= 1
	m.put("bootstrap/journal_head", head)
	m.boot(ExitOK)
	m.logged("edge.journal.head_rebuilt")
	day("after the head file was rebuilt")
	m.put("epoch/current/evidence.json", []byte("{}"))
	m.boot(ExitOK)
	m.logged("edge.projection.repaired")
	day("after a projection was repaired")
	m.settles()
	m.boot(ExitOK)
	return past
}

// settles lets boots pass, and one that settles.
func (m *memNode) settles() {
	m.t.Helper()
	onJournal(m.t, m.disk, func(w *journal.Writer, s machine.State) error {
		for !w.Tail().SettlingDue {
			if _, err := w.Append(cleanBoot(m.t, w, s)); err != nil {
				return err
			}
		}
		return nil
	})
	m.silent()
	m.unsettled(1) // what vouches for the snapshot
}

// unsettled requires that the tail holds so many records.
func (m *memNode) unsettled(want int) {
	m.t.Helper()
	onJournal(m.t, m.disk, func(w *journal.Writer, _ machine.State) error {
		if got := w.Tail().Records; got != want {
			m.t.Fatalf("the tail holds %d records, want %d", got, want)
		}
		return nil
	})
}

// crashedNode is the small node when the power went in the middle of its next
// update: of the newest record's frame a part is on the disk.
func crashedNode(t *testing.T) *patient {
	createTails(t, smallTail)
	m := newMemNode(t)
	past := smallLife(m)
	m.kernel += "+2"
	dying := m.loses(func(op memfs.Op) bool { return op.Kind == memfs.OpDatasync && op.Name == "journal/tail" }, 4)
	for seed := uint64(0); ; seed++ {
		if m.disk = dying.Crash(memfs.Crash{Keep: memfs.Random, Seed: seed}); torn(t, m.disk) {
			return newPatient(t, m, past...)
		}
	}
}

// torn reports whether a part of a frame follows the last record of the tail.
func torn(t *testing.T, disk *memfs.FS) bool {
	t.Helper()
	view, err := journal.OpenView(disk, layout)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close() //nolint:errcheck // read-only
	rep, err := journal.Verify(context.Background(), view.Source(), journal.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(rep.Findings, func(f journal.Finding) bool { return f.Code == journal.CodeTornTail })
}

// settlingNode is the small node when the power went in the middle of its next
// settling: records are in both places.
func settlingNode(t *testing.T) *patient {
	createTails(t, smallTail)
	m := newMemNode(t)
	past := smallLife(m)
	m.settles()
	m.cleanBoots(12)
	dying := m.loses(func(op memfs.Op) bool { return op.Kind == memfs.OpWrite && op.Name == "journal/tail" }, 3) // the snapshot, which comes before its header
	m.disk = dying.Crash(memfs.Crash{Keep: memfs.All})
	p := newPatient(t, m, past...)
	if n := len(files(t, p.disk, ".sst")); n != 4 {
		t.Fatalf("%d tables, of which one is of the settling", n)
	}
	return p
}

// loses boots, and loses power at the n-th operation of some kind.
func (m *memNode) loses(kind func(op memfs.Op) bool, n int) *memfs.FS {
	m.t.Helper()
	dying, seen := m.disk, 0
	dying.SetHook(func(op memfs.Op) error {
		if kind(op) {
			if seen++; seen == n {
				dying.Ghost()
			}
		}
		return nil
	})
	m.precheck()
	if seen < n {
		m.t.Fatalf("%d operations of %d at whose last the power was to go", seen, n)
	}
	return dying
}

func newOlder(t *testing.T, name string, disk *memfs.FS) older {
	t.Helper()
	all, err := contents(disk)
	if err != nil {
		t.Fatal(err)
	}
	return older{name, disk, state(all)}
}

// state is all that the gate believes of a disk: journal, head file and
// projections.
func state(all map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.ContainsFunc(parts, func(p part) bool { return p.holds(name) }) {
			fmt.Fprintf(&b, "%s %q\n", name, all[name])
		}
	}
	return b.String()
}

// wasOnce reports whether a damaged disk equals an earlier state of the node:
// nothing on it shows the difference.
func (p *patient) wasOnce(all map[string]string) bool {
	now := state(all)
	return slices.ContainsFunc(p.older, func(o older) bool { return o.same == now })
}

// files are the journal's files with that ending, and with "" the head file
// too.
func files(t *testing.T, disk *memfs.FS, suffix string) (names []string) {
	t.Helper()
	entries, err := disk.ReadDir(layout.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, suffix) {
			names = append(names, path.Join(layout.Dir, e.Name))
		}
	}
	if suffix == "" {
		names = append(names, layout.Head)
	}
	return names
}

// bytesOf reads a file whole.
func bytesOf(t *testing.T, disk *memfs.FS, name string) []byte {
	t.Helper()
	data, _, err := durable.ReadFile(disk, name, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// blocks reports whether a file is made of blocks, most of which may be
// unwritten.
func blocks(name string) bool { return name == layout.Head || name == "journal/tail" }

// writtenBlocks are those that hold anything.
func writtenBlocks(data []byte) map[int]bool {
	written := map[int]bool{}
	for _, n := range historytest.Blocks(data) {
		written[n] = true
	}
	return written
}

// flips are all single bits of the files, in the order of a file's bytes. In a
// file of blocks a zero of a written block is flipped in one bit, and so is one
// byte of each unwritten block.
func (p *patient) flips() iter.Seq[harm] {
	return func(yield func(harm) bool) {
		for _, name := range files(p.t, p.disk, "") {
			good := bytesOf(p.t, p.disk, name)
			written := writtenBlocks(good)
			for i := range good {
				n := i / historytest.BlockLen
				if blocks(name) && !written[n] && i%historytest.BlockLen != 37*n%historytest.BlockLen {
					continue
				}
				for bit := range 8 {
					if blocks(name) && good[i] == 0 && bit != i%8 {
						continue
					}
					if !yield(harm{fmt.Sprintf("%s, byte %d of %d, bit %d flipped", name, i, len(good), bit), func(d *damagedDisk) {
						bad := slices.Clone(good)
						bad[i] ^= 1 << bit
						d.overwrite(name, bad)
					}, name}) {
						return
					}
				}
			}
		}
	}
}

// truncations cut the files after each of their bytes, also leaving zeros in
// place of what was cut. A file of blocks is cut once in each unwritten block, and
// at every sixteenth of a written block's zeros.
func (p *patient) truncations() iter.Seq[harm] {
	return func(yield func(harm) bool) {
		for _, name := range files(p.t, p.disk, "") {
			good := bytesOf(p.t, p.disk, name)
			written := writtenBlocks(good)
			for n := range good {
				if at := n % historytest.BlockLen; blocks(name) && good[n] == 0 && at != 0 && (at%16 != 0 || !written[n/historytest.BlockLen]) {
					continue
				}
				cut := good[:n]
				if !yield(harm{fmt.Sprintf("%s cut to %d of %d bytes", name, n, len(good)), func(d *damagedDisk) { d.overwrite(name, cut) }, name}) {
					return
				}
				if !yield(harm{fmt.Sprintf("%s zeroed from byte %d of %d", name, n, len(good)), func(d *damagedDisk) {
					d.overwrite(name, append(slices.Clone(cut), make([]byte, len(good)-n)...))
				}, name}) {
					return
				}
			}
		}
	}
}

// blockFaults are what a disk does to a whole block of a file of blocks: it
// reads as zeros, as another block of the file, or as what it held before.
func (p *patient) blockFaults() iter.Seq[harm] {
	return func(yield func(harm) bool) {
		for _, name := range []string{"journal/tail", layout.Head} {
			good := bytesOf(p.t, p.disk, name)
			var before [][]byte
			for _, o := range p.older {
				before = append(before, bytesOf(p.t, o.disk, name))
			}
			used := historytest.Blocks(good)
			for _, n := range used {
				at := n * historytest.BlockLen
				put := map[string][]byte{"zeroed": make([]byte, historytest.BlockLen)}
				for _, other := range used {
					put[fmt.Sprintf("as block %d", other)] = good[other*historytest.BlockLen:][:historytest.BlockLen]
				}
				for i, old := range before {
					put["as it was "+p.older[i].name] = old[at:][:historytest.BlockLen]
				}
				for _, how := range slices.Sorted(maps.Keys(put)) {
					if slices.Equal(put[how], good[at:][:historytest.BlockLen]) {
						continue
					}
					if !yield(harm{fmt.Sprintf("%s, block %d %s", name, n, how), func(d *damagedDisk) {
						bad := slices.Clone(good)
						copy(bad[at:], put[how])
						d.overwrite(name, bad)
					}, name}) {
						return
					}
				}
			}
		}
	}
}

// deletions remove each file and each pair of files.
func (p *patient) deletions() iter.Seq[harm] {
	return func(yield func(harm) bool) {
		names := files(p.t, p.disk, "")
		for i, one := range names {
			if !yield(harm{one + " deleted", func(d *damagedDisk) { d.remove(one) }, one}) {
				return
			}
			for _, two := range names[i+1:] {
				if !yield(harm{one + " and " + two + " deleted", func(d *damagedDisk) { d.remove(one); d.remove(two) }, ""}) {
					return
				}
			}
		}
	}
}

// swaps put in the place of each file another one's bytes: of the same journal,
// of the journal's earlier days, and of another node's.
func (p *patient) swaps(foreign *memfs.FS) iter.Seq[harm] {
	type donor struct {
		name string
		disk *memfs.FS
	}
	donors := []donor{{"another node", foreign}, {"this node", p.disk}}
	for _, o := range p.older {
		donors = append(donors, donor{"this node " + o.name, o.disk})
	}
	return func(yield func(harm) bool) {
		for _, name := range files(p.t, p.disk, "") {
			good := bytesOf(p.t, p.disk, name)
			for _, from := range donors {
				for _, other := range files(p.t, from.disk, "") {
					if path.Ext(other) != path.Ext(name) && from.disk != p.disk {
						continue
					}
					bad := bytesOf(p.t, from.disk, other)
					if slices.Equal(good, bad) {
						continue
					}
					if !yield(harm{fmt.Sprintf("%s is %s of %s", name, other, from.name), func(d *damagedDisk) { d.overwrite(name, bad) }, ""}) {
						return
					}
				}
			}
		}
	}
}
