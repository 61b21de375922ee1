package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// specimen is a node that is not running, on which damage is tried.
type specimen struct {
	disk   *memfs.FS
	recs   []record.Record
	acked  record.Tip
	frames []frame
	end    int // the block after the last frame
	slot   int // of the newest header
	newest int // newest slot of the head file
	pebble []string
}

// newSpecimen returns a node with tables, a current generation with records of
// one and of three blocks, and frames of an older generation after them.
func newSpecimen(t testing.TB) specimen {
	t.Helper()
	m := newRoot(t)
	boot(t, m, 1, 2)
	settled(t, m, 5)
	settled(t, m, 1, 3, 1, 1, 1)
	boot(t, m, 3)
	boot(t, m, 1)
	m.SyncAll()
	s := specimen{disk: m, recs: history(t, m), acked: acknowledged(t, m)}
	v := must[*View](t)(OpenView(m, small))
	defer v.Close()
	s.frames, s.end, s.slot, s.newest = v.frames, v.next, v.tail.slot, v.head.newest()
	for _, f := range v.tail.header.files {
		s.pebble = append(s.pebble, "journal/"+f.Name)
	}
	if len(s.frames) != 3 || len(s.recs) != int(s.acked.Seq) {
		t.Fatalf("%d frames, %d records", len(s.frames), len(s.recs))
	}
	return s
}

// The outcomes of damage.
const (
	harmless = "harmless" // nothing is lost, now and later
	reported = "reported" // nothing is lost, and the boot reports it
	refusal  = "refused"  // the boot ends
	found    = "found"    // the boot continues; a settling or a verification finds it
	lost     = "LOST"     // an acknowledged record is gone, and nothing reports it
)

// damageKinds are the kinds of error with which damage is refused.
var damageKinds = []error{errs.ErrCorrupt, ErrRolledBack, ErrRewritten, ErrForeign, ErrMissing}

func isDamage(err error) bool {
	return slices.ContainsFunc(damageKinds, func(k error) bool { return errors.Is(err, k) })
}

// glance judges a disk as a boot that appends nothing does. It changes nothing.
func (s *specimen) glance(d *memfs.FS) (outcome string, err error) {
	v, err := OpenView(d, small)
	if err != nil {
		return refusedWith(err)
	}
	defer v.Close()
	act, err := v.CheckHead(nil)
	if err != nil {
		return refusedWith(err)
	}
	for _, f := range s.frames {
		rec, err := v.Record(f.rec.Seq)
		if err != nil || rec.Hash != f.rec.Hash {
			return lost, fmt.Errorf("record %d is another or gone, tip %d: %v", f.rec.Seq, v.Tip().Seq, err)
		}
	}
	if v.Tip() != s.acked {
		return lost, fmt.Errorf("the tip is %d, not %d", v.Tip().Seq, s.acked.Seq)
	}
	if act != (HeadAction{}) {
		return reported, nil
	}
	return harmless, nil
}

func refusedWith(err error) (string, error) {
	if isDamage(err) && !errors.Is(err, errs.ErrNewer) {
		return refusal, err
	}
	return "refused with another kind", err
}

// judge runs some boots that append and settle: damage that looks harmless must
// stay harmless, or be found.
func (s *specimen) judge(d *memfs.FS) (outcome string, err error) {
	outcome = harmless
	for i := range 3 {
		before := d.Dump()
		g := &gate{boot: newBoot(), sizes: []int{1, 2}, settle: i > 0}
		err := g.run(d)
		if err == nil {
			err = g.unsettled
		}
		if err != nil {
			if g.w == nil && !maps.Equal(d.Dump(), before) {
				return lost, fmt.Errorf("the refusal changed the disk: %w", err)
			}
			if i > 0 && isDamage(err) {
				return found, err
			}
			return refusedWith(err)
		}
		if i == 0 && g.action != (HeadAction{}) {
			outcome = reported
		}
		have := map[uint64]record.Hash{}
		v, err := OpenView(d, small)
		if err != nil {
			if isDamage(err) {
				return found, err
			}
			return lost, err
		}
		rep, err := deeply(v)
		if err == nil && !rep.OK {
			return found, fmt.Errorf("%s", codes(rep))
		}
		if err == nil {
			err = v.each(1, v.Tip().Seq, func(seq uint64, raw []byte) bool { have[seq] = record.HashOf(raw); return true })
		}
		if err := errors.Join(err, v.Close()); err != nil {
			return lost, err
		}
		for _, r := range s.recs {
			if have[r.Seq] != r.Hash {
				return lost, fmt.Errorf("record %d is another or gone, boot %d, tip %d, %+v", r.Seq, i, len(have), g.action)
			}
		}
	}
	return outcome, nil
}

// region is a range of a file and the outcomes of a flipped bit in it.
type region struct {
	name     string
	file     string
	from, to int // bytes
	want     []string
}

func blockRegion(name, file string, first, n int, want ...string) region {
	return region{name, file, first * blockSize, (first + n) * blockSize, want}
}

// flips flips one bit after the other and calls do with the disk, which do may not
// change.
func flips(t *testing.T, d *memfs.FS, r region, stride int, do func(d *memfs.FS, bit int)) {
	t.Helper()
	f := must[durable.File](t)(d.OpenWrite(r.file))
	defer f.Close()
	put := func(at int, b []byte) {
		_, err := f.WriteAt(b, int64(at))
		noErr(t, errors.Join(err, f.Sync()))
	}
	whole := read(t, d, r.file)
	for bit := 8 * r.from; bit < 8*min(r.to, len(whole)); bit += stride {
		at := bit / 8
		put(at, []byte{whole[at] ^ 1<<(bit%8)})
		do(d, bit)
		put(at, whole[at:at+1])
	}
}

// TestCrashDamageBits flips every bit of the used blocks of the tail and of the
// head file.
func TestCrashDamageBits(t *testing.T) {
	s := newSpecimen(t)
	regions := []region{
		blockRegion("newest header", tailFile, s.slot, 1, harmless),
		blockRegion("older header", tailFile, 1-s.slot, 1, harmless),
		blockRegion("block after the frames", tailFile, s.end, 1, harmless),
		blockRegion("newest slot", headFile, s.newest, 1, reported),
		blockRegion("older slot", headFile, 1-s.newest, 1, reported),
	}
	for i, f := range s.frames {
		regions = append(regions, blockRegion(fmt.Sprint("frame ", i), tailFile, f.block, f.parts(), refusal))
	}
	var tried atomic.Int64
	for _, r := range regions {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			flips(t, s.disk.Clone(), r, every(61), func(d *memfs.FS, bit int) {
				outcome, err := s.glance(d)
				if !slices.Contains(r.want, outcome) {
					t.Errorf("bit %d of byte %d: %s, want %v: %v", bit%8, bit/8, outcome, r.want, err)
				}
				if tried.Add(1)%(61*64/int64(every(61))) == 0 {
					if outcome, err := s.judge(d.Clone()); !slices.Contains(r.want, outcome) {
						t.Errorf("bit %d of byte %d, boots later: %s, want %v: %v", bit%8, bit/8, outcome, r.want, err)
					}
				}
			})
		})
	}
	t.Cleanup(func() { t.Logf("%d flips", tried.Load()) })
}

// TestCrashDamageBlocks flips one bit of every block of the tail, used or not. The
// block after the last frame of the boots that follow looks like a write that was
// cut short: a verification reports it, and the next boot overwrites it.
func TestCrashDamageBlocks(t *testing.T) {
	s := newSpecimen(t)
	used := map[int]bool{}
	for _, f := range s.frames {
		for i := range f.parts() {
			used[f.block+i] = true
		}
	}
	d := s.disk.Clone()
	torn := 0
	for number := range int(small.tailLength() / blockSize) {
		want := harmless
		if used[number] {
			want = refusal
		}
		bit := 8*number*blockSize + (number*7919)%(8*blockSize)
		flips(t, d, region{file: tailFile, from: bit / 8, to: bit/8 + 1}, 8, func(d *memfs.FS, _ int) {
			outcome, err := s.glance(d)
			if outcome == want && number%every(4) == 0 {
				outcome, err = s.judge(d.Clone())
				if outcome == found && want == harmless && strings.Contains(err.Error(), "torn_tail") {
					torn++
					return
				}
			}
			if outcome != want {
				t.Errorf("block %d: %s, want %s: %v", number, outcome, want, err)
			}
		})
	}
	if torn > 1 {
		t.Errorf("%d blocks look like the one after the last frame", torn)
	}
}

// TestCrashDamagePebble flips every bit of every file of Pebble's. An ordinary
// boot does not read them; a settling or a verification finds the damage, or it
// costs no record.
func TestCrashDamagePebble(t *testing.T) {
	s := newSpecimen(t)
	var tried, seen atomic.Int64
	for _, name := range s.pebble {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flips(t, s.disk.Clone(), region{file: name, to: 1 << 30}, every(131), func(d *memfs.FS, bit int) {
				tried.Add(1)
				if outcome, err := s.glance(d); outcome != harmless {
					t.Errorf("bit %d of byte %d: %s: %v", bit%8, bit/8, outcome, err)
				}
				outcome, err := s.judge(d.Clone())
				if outcome == found {
					seen.Add(1)
				} else if outcome != harmless {
					t.Errorf("bit %d of byte %d: %s: %v", bit%8, bit/8, outcome, err)
				}
			})
		})
	}
	t.Cleanup(func() {
		t.Logf("%d flips, %d found", tried.Load(), seen.Load())
		if seen.Load() < tried.Load()/2 {
			t.Errorf("only %d of %d flips were found", seen.Load(), tried.Load())
		}
	})
}

func (s *specimen) files() []string {
	return append([]string{tailFile, headFile}, s.pebble...)
}

// previousManifest is the one before the one in force; Pebble keeps it.
func (s *specimen) previousManifest() string {
	i := slices.IndexFunc(s.pebble, func(n string) bool { return strings.Contains(n, "MANIFEST-") })
	return s.pebble[i]
}

// TestCrashDamageTruncated cuts every file short, or makes it longer.
func TestCrashDamageTruncated(t *testing.T) {
	s := newSpecimen(t)
	for _, name := range s.files() {
		size := len(read(t, s.disk, name))
		lengths := []int{0, 1, size / 3, size - 1, size + 1, size + blockSize}
		if size > 2*blockSize {
			lengths = append(lengths, blockSize, size-blockSize, s.end*blockSize, s.frames[2].block*blockSize+17)
		}
		for _, n := range lengths {
			if n < 0 || n == size {
				continue
			}
			d := s.disk.Clone()
			f := must[durable.File](t)(d.OpenWrite(name))
			noErr(t, errors.Join(f.Truncate(int64(n)), f.Sync(), f.Close()))
			outcome, err := s.judge(d)
			want := []string{refusal, found}
			switch {
			case name == headFile && n >= 2*blockSize, strings.HasPrefix(name, "journal/marker."):
				want = []string{harmless} // only the name of a marker is used
			case name == headFile:
				want = []string{reported}
			case name == s.previousManifest(), strings.HasPrefix(name, "journal/MANIFEST-") && n > size:
				want = []string{harmless} // bytes after a manifest's end are not read
			}
			if !slices.Contains(want, outcome) {
				t.Errorf("%s of %d bytes, not %d: %s, want %v: %v", name, n, size, outcome, want, err)
			}
		}
	}
}

// TestCrashDamageDeleted deletes every file, every pair of files, and the
// journal's directory.
func TestCrashDamageDeleted(t *testing.T) {
	s := newSpecimen(t)
	files := append(s.files(), "journal")
	for i, a := range files {
		for _, b := range files[i:] {
			d := s.disk.Clone()
			for _, name := range []string{a, b} {
				if err := durable.RemoveAll(d, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			d.SyncAll()
			want := refusal
			spare := s.previousManifest()
			switch {
			case a == spare && b == spare:
				want = harmless
			case a == headFile && (b == headFile || b == spare):
				want = reported
			case a == headFile && b == "journal":
				continue // nothing here refers to a journal now: the gate checks the projections
			}
			if outcome, err := s.judge(d); outcome != want {
				t.Errorf("%s and %s: %s, want %s: %v", a, b, outcome, want, err)
			}
		}
	}
}
