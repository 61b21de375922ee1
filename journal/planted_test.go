package journal

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// TestPlantedNames: somebody puts files into journal/. A file that Pebble does not
// see has no effect and stays; one that it sees is removed, has no effect, or is
// damage.
func TestPlantedNames(t *testing.T) {
	base := newRoot(t)
	boot(t, base, 1)
	settled(t, base, 1)
	boot(t, base, 1)
	recs := history(t, base)
	const stays, goes, damage = "stays", "goes", "damage"
	for name, want := range map[string]string{
		"OPTIONS-999999": stays, "000099.log": stays, "000100.dbtmp": stays, "CURRENT": stays, "LOCK": stays, "tail.tmp": stays,
		"000004.sst.x": stays, "x.sst": stays, "0004.sst": stays, "MANIFEST-": stays, "marker.other.000001.x": stays,
		"000099.sst": goes, "MANIFEST-000000": goes, "9223372036854775807.sst": goes,
		"marker.manifest.": damage, "marker.manifest.x.y": damage, "marker.manifest.000099.MANIFEST-000099": damage,
		"marker.manifest.000099.MANIFEST-000001": damage, "marker.format-version.000099.x": damage,
		// Pebble's numbers would begin again, and it panics if one is used again.
		"18446744073709551615.sst": damage, "MANIFEST-18446744073709551614": damage,
	} {
		for _, kind := range []string{"file", "directory", "FIFO"} {
			t.Run(name+", a "+kind, func(t *testing.T) {
				m := base.Clone()
				switch kind {
				case "file":
					noErr(t, durable.WriteFile(m, "journal/"+name, []byte("planted"), fileMode))
				case "directory":
					noErr(t, m.Mkdir("journal/"+name, 0o750))
				case "FIFO":
					noErr(t, m.PlantFIFO("journal/"+name))
				}
				m.SyncAll()
				if want == damage {
					refused(t, m, nil, errs.ErrCorrupt)
					if p, n := salvage(t, m, recs); n != len(recs) || !errors.Is(p.Broken, errs.ErrCorrupt) {
						t.Errorf("%d records salvaged, %v", n, p.Broken)
					}
					return
				}
				for range 3 {
					settled(t, m, 1)
				}
				if have := history(t, m); len(have) != len(recs)+6 || have[len(recs)-1].Hash != recs[len(recs)-1].Hash {
					t.Errorf("%d records", len(have))
				}
				if _, err := m.Lstat("journal/" + name); (err == nil) != (want == stays) {
					t.Errorf("afterwards: %v", err)
				}
				acked := acknowledged(t, m)
				noErr(t, holds(m, acked, acked))
			})
		}
	}
}

// TestPlantedSizes: a file of terabytes, whatever its name, is not read into memory,
// and the error says what is wrong.
func TestPlantedSizes(t *testing.T) {
	const huge = 4 << 40 // a hole
	dir := t.TempDir()
	fill := func() (*durable.Root, []record.Record) {
		noErr(t, os.RemoveAll(dir))
		noErr(t, os.MkdirAll(filepath.Join(dir, "bootstrap"), 0o750))
		r := must[*durable.Root](t)(durable.OpenRoot(dir))
		boot(t, r, 1)
		settled(t, r, 1)
		boot(t, r, 1)
		return r, history(t, r)
	}
	r, _ := fill()
	v := must[*View](t)(OpenView(r, small))
	var files []string
	for _, f := range v.tail.header.files {
		files = append(files, "journal/"+f.Name)
	}
	spare := files[1] // the manifest before the one in force
	noErr(t, errors.Join(v.Close(), r.Close()))
	if !strings.Contains(spare, "MANIFEST-") {
		t.Fatal(files)
	}
	files = append(files, tailFile, headFile, headFile+".tmp", "journal/OPTIONS-999999", "journal/000099.log", "journal/000099.sst",
		"journal/000098.dbtmp", "journal/MANIFEST-999999", "journal/CURRENT", "journal.new/tail")
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			r, recs := fill()
			defer r.Close()
			path := filepath.Join(dir, name)
			noErr(t, os.MkdirAll(filepath.Dir(path), 0o750))
			f := must[*os.File](t)(os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640))
			err := f.Truncate(huge)
			noErr(t, f.Close())
			if err != nil {
				t.Skipf("no sparse files here: %v", err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			g := &gate{boot: newBoot(), sizes: []int{1}, settle: true}
			err = g.run(r)
			damaged := strings.HasSuffix(name, "/tail") && name != "journal.new/tail" || strings.Contains(name, ".sst") && name != "journal/000099.sst" ||
				strings.HasPrefix(name, "journal/MANIFEST") && name != spare && name != "journal/MANIFEST-999999"
			if damaged != (err != nil) || err != nil && !errors.Is(err, errs.ErrCorrupt) || g.unsettled != nil {
				t.Errorf("damaged %t: %v, %v", damaged, err, g.unsettled)
			}
			n := 0
			p, err := Salvage(r, small, func(record.Record) error { n++; return nil })
			if noErr(t, err); damaged != (p.Broken != nil) || !damaged && n < len(recs) {
				t.Errorf("%d records salvaged, %v", n, p.Broken)
			}
			if v, err := OpenLiveView(r, small); err == nil {
				_, err = deeply(v)
				noErr(t, errors.Join(err, v.Close()))
			}
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 128<<20 {
				t.Errorf("%d MiB", used>>20)
			}
		})
	}
}
