package gate

import (
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
)

// The small node that is damaged has booted a few times, through an update, a
// repair of its head file and one of a projection; so its journal holds
// several tables, and records of most kinds that a boot depends on.
func smallNode(t *testing.T) *patient {
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
	m.boot(ExitOK)
	return past
}

// crashedNode is the small node when the power went in the middle of its next
// update: the newest acknowledged records are in a log.
func crashedNode(t *testing.T) *patient {
	m := newMemNode(t)
	past := smallLife(m)
	m.kernel += "+2"
	dying, heads := m.disk, 0
	dying.SetHook(func(op memfs.Op) error {
		if op.Kind == memfs.OpDatasync && op.Name == layout.Head {
			if heads++; heads == 4 {
				dying.Ghost()
			}
		}
		return nil
	})
	m.precheck()
	m.disk = dying.Crash(memfs.Crash{Keep: memfs.All})
	return newPatient(t, m, past...)
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

// wasOnce reports whether a damaged disk is just what the node once was: then
// nothing on it can tell.
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

// The head file's form: two slots so far apart, each with so many bytes that
// mean something (docs/formats.md).
const (
	slotStride = 4096
	slotBytes  = 128
)

// flips are all single bits of the files, in the order of a file's bytes.
func (p *patient) flips() iter.Seq[harm] {
	return func(yield func(harm) bool) {
		for _, name := range files(p.t, p.disk, "") {
			good := bytesOf(p.t, p.disk, name)
			for i := range good {
				for bit := range 8 {
					if name == layout.Head && i%slotStride >= slotBytes && bit != i%8 {
						continue // what holds nothing is flipped once in each byte
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
// place of what was cut.
func (p *patient) truncations() iter.Seq[harm] {
	return func(yield func(harm) bool) {
		for _, name := range files(p.t, p.disk, "") {
			good := bytesOf(p.t, p.disk, name)
			for n := range good {
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
