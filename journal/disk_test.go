package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// stamp lists everything below a directory: names, modes, sizes, times, content.
func stamp(t *testing.T, dir string) string {
	t.Helper()
	var sb strings.Builder
	noErr(t, filepath.Walk(dir, func(p string, i os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		sb.WriteString(p + i.Mode().String() + i.ModTime().String() + "\n")
		if i.Mode().IsRegular() {
			b, err := os.ReadFile(p)
			sb.WriteString(record.HashOf(b).String() + "\n")
			return err
		}
		return nil
	}))
	return sb.String()
}

// TestReadingChangesNothing: reading changes no bytes, modes or times, of a whole
// state root and of a bare journal directory, even if the tables must be opened,
// and even on a root that is read-only.
func TestReadingChangesNothing(t *testing.T) {
	dir := t.TempDir()
	r := must[*durable.Root](t)(durable.OpenRoot(dir))
	noErr(t, r.Mkdir("bootstrap", 0o750))
	boot(t, r, 1)
	settled(t, r, 1, 2)
	boot(t, r, 1)
	noErr(t, r.Close())
	n := 6
	before := stamp(t, dir)

	ro := must[*durable.Root](t)(durable.OpenRootReadOnly(dir))
	v := must[*View](t)(OpenLiveView(ro, small))
	if rep := must[Report](t)(deeply(v)); !rep.OK || len(rep.Findings) > 0 || rep.Events != uint64(n) {
		t.Errorf("report %+v", rep)
	}
	noErr(t, v.Close())
	if p, err := Salvage(ro, small, func(record.Record) error { return nil }); err != nil || p.Tip.Seq != uint64(n) || p.Broken != nil {
		t.Errorf("%+v, %v", p, err)
	}
	// A bare journal directory has no head file: all of it is read, and nothing
	// vouches for its end.
	bare := must[*durable.Root](t)(durable.OpenRootReadOnly(filepath.Join(dir, "journal")))
	v = must[*View](t)(OpenLiveView(bare, Layout{Dir: "."}))
	if act, err := v.CheckHead(nil); err != nil || act != (HeadAction{}) || v.Tip().Seq != uint64(n) {
		t.Errorf("%+v, %v, tip %d", act, err, v.Tip().Seq)
	}
	if rep := must[Report](t)(deeply(v)); !rep.OK || len(rep.Findings) > 0 {
		t.Errorf("report %+v", rep)
	}
	if _, ok := v.Head().Newest(); ok || v.Head().Path != "" {
		t.Errorf("head %+v", v.Head())
	}
	noErr(t, errors.Join(v.Close(), bare.Close()))

	g := &gate{boot: newBoot(), sizes: []int{1}}
	if err := g.run(ro); !errors.Is(err, errs.ErrIO) {
		t.Errorf("a gate on a read-only root: %v", err)
	}
	noErr(t, ro.Close())
	if stamp(t, dir) != before {
		t.Error("reading changed names, modes, times or bytes")
	}
}

// TestLiveOnDisk: readers with their own descriptor of the same root, beside gates
// that hold its lock.
func TestLiveOnDisk(t *testing.T) {
	dir := t.TempDir()
	r := must[*durable.Root](t)(durable.OpenRoot(dir))
	defer r.Close()
	noErr(t, r.Mkdir("bootstrap", 0o750))
	c := &chronicle{}
	noErr(t, (&gate{boot: newBoot(), acked: c.add}).run(r))
	done := make(chan error, 1)
	go func() {
		for i := range 40 {
			for {
				held, err := r.TryLock()
				if err != nil {
					done <- err
					return
				}
				if held {
					break
				}
			}
			g := &gate{boot: newBoot(), sizes: []int{1, 2}, settle: i%2 == 0, acked: c.add}
			if err := errors.Join(g.run(r), r.Unlock()); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	reader := must[*durable.Root](t)(durable.OpenRootReadOnly(dir))
	defer reader.Close()
	looks := 0
	for {
		looks++
		if err := c.look(reader); err != nil {
			t.Errorf("look %d: %v", looks, err)
			break
		}
		select {
		case err := <-done:
			noErr(t, err)
			t.Logf("%d looks", looks)
			return
		default:
		}
	}
	noErr(t, <-done)
}

// TestLiveMissing: a reader of an absent or damaged journal gets an error of the right kind.
func TestLiveMissing(t *testing.T) {
	m := newRoot(t)
	for want, damage := range map[error]func(d *memfs.FS){
		errs.ErrNotFound: func(d *memfs.FS) {},
		ErrMissing:       func(d *memfs.FS) { boot(t, d, 1); noErr(t, durable.RemoveAll(d, "journal")) },
		errs.ErrCorrupt:  func(d *memfs.FS) { boot(t, d, 1); noErr(t, d.Remove(tailFile)) },
	} {
		d := m.Clone()
		damage(d)
		if _, err := OpenLiveView(d, small); !errors.Is(err, want) {
			t.Errorf("%v: %v", want, err)
		}
	}
	// A history that ends before its head file can be opened, so that a
	// verification can report it.
	boot(t, m, 1)
	old := read(t, m, tailFile)
	boot(t, m, 1)
	overwrite(t, m, tailFile, old)
	v := must[*View](t)(OpenLiveView(m, small))
	defer v.Close()
	if rep := must[Report](t)(deeply(v)); rep.OK || codes(rep) != "error head_mismatch" {
		t.Errorf("%+v", rep)
	}
	if _, err := v.CheckHead(nil); !errors.Is(err, ErrRolledBack) {
		t.Errorf("%v", err)
	}
}
