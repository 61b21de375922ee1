package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/durable/memfs"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/journal/record"
)

// put overwrites a file with that of another disk.
func put(t testing.TB, to, from *memfs.FS, name string) { overwrite(t, to, name, read(t, from, name)) }

// putPebble replaces all files of Pebble's by those of another disk.
func putPebble(t testing.TB, to, from *memfs.FS) {
	t.Helper()
	for _, n := range names(t, to) {
		if n != TailName {
			noErr(t, to.Remove("journal/"+n))
		}
	}
	for _, n := range names(t, from) {
		if n != TailName {
			noErr(t, durable.WriteFile(to, "journal/"+n, read(t, from, "journal/"+n), fileMode))
		}
	}
	to.SyncAll()
}

// TestCrashDamageExchanged exchanges blocks of the tail, slots, and files.
func TestCrashDamageExchanged(t *testing.T) {
	s := newSpecimen(t)
	exchange := func(file string, a, b int) *memfs.FS {
		d := s.disk.Clone()
		whole := read(t, d, file)
		x, y := whole[a*blockSize:][:blockSize], whole[b*blockSize:][:blockSize]
		for i := range x {
			x[i], y[i] = y[i], x[i]
		}
		overwrite(t, d, file, whole)
		return d
	}
	check := func(what string, d *memfs.FS, want ...string) {
		t.Helper()
		if outcome, err := s.judge(d); !slices.Contains(want, outcome) {
			t.Errorf("%s: %s, want %v: %v", what, outcome, want, err)
		}
	}
	for a := firstFrame; a < s.end; a++ {
		for b := a + 1; b < s.end+2; b++ {
			check(fmt.Sprintf("blocks %d and %d", a, b), exchange(tailFile, a, b), refusal)
		}
		check(fmt.Sprintf("header and block %d", a), exchange(tailFile, s.slot, a), refusal)
	}
	check("headers", exchange(tailFile, 0, 1), harmless) // the newest is derived from the first frame
	check("slots", exchange(headFile, 0, 1), reported)
	for i, a := range s.files() {
		for _, b := range s.files()[i+1:] {
			d := s.disk.Clone()
			x, y := read(t, d, a), read(t, d, b)
			overwrite(t, d, a, y)
			overwrite(t, d, b, x)
			outcome, err := s.judge(d)
			marker := strings.Contains(a, "marker.") && strings.Contains(b, "marker.")
			spare := s.previousManifest()
			switch {
			case outcome == refusal, outcome == found:
			case marker && outcome == harmless: // their content is not used
			case a == headFile && (b == spare || strings.Contains(b, "marker.")) && outcome == reported:
			case (a == spare && strings.Contains(b, "marker.") || b == spare && strings.Contains(a, "marker.")) && outcome == harmless:
			default:
				t.Errorf("%s and %s: %s: %v", a, b, outcome, err)
			}
		}
	}
}

// TestCrashDamageRolledBack puts older copies of the tail, the head file and
// Pebble's files back, each by itself and together. A single one never loses a
// record unnoticed; tail and head file together do, as ARCHITECTURE.md says.
func TestCrashDamageRolledBack(t *testing.T) {
	m := newRoot(t)
	boot(t, m, 1)
	var past []*memfs.FS
	for i := range 9 {
		g := &gate{boot: newBoot(), sizes: []int{1 + i%2}, settle: i%3 == 1}
		noErr(t, g.run(m))
		m.SyncAll()
		past = append(past, m.Clone())
	}
	now := past[len(past)-1]
	s := specimen{disk: now, recs: history(t, now), acked: acknowledged(t, now)}
	tally := map[string]int{}
	for i, tail := range past {
		for j, head := range past {
			for k, pebble := range past {
				if !crashFull && (i*7+j*3+k)%4 != 0 && i != j && j != k && i != k {
					continue
				}
				old := ""
				d := now.Clone()
				if tail != now && string(read(t, tail, tailFile)) != string(read(t, now, tailFile)) {
					old += " tail"
					put(t, d, tail, tailFile)
				}
				if head != now {
					old += " head"
					put(t, d, head, headFile)
				}
				if fmt.Sprint(names(t, pebble)) != fmt.Sprint(names(t, now)) {
					old += " Pebble"
					putPebble(t, d, pebble)
				}
				outcome, err := s.judge(d)
				switch outcome {
				case lost:
					if !strings.HasPrefix(old, " tail head") {
						t.Errorf("old%s (%d %d %d): %s: %v", old, i, j, k, outcome, err)
					}
				case harmless, reported, refusal, found:
					if old == " tail" && outcome != refusal || old == " Pebble" && outcome != refusal || old == " tail Pebble" && outcome != refusal {
						t.Errorf("old%s (%d %d %d): %s: %v", old, i, j, k, outcome, err)
					}
				default:
					t.Errorf("old%s (%d %d %d): %s: %v", old, i, j, k, outcome, err)
				}
				tally[old+": "+outcome]++
			}
		}
	}
	t.Log(tally)
	for _, want := range []string{" tail head: LOST", " head: harmless", " head: reported"} {
		if tally[want] == 0 {
			t.Errorf("never%s", want)
		}
	}
}

// TestCrashDamageForeign puts blocks and files of another node's journal into this one.
func TestCrashDamageForeign(t *testing.T) {
	s, other := newSpecimen(t), newSpecimen(t)
	check := func(what string, want string, damage func(d *memfs.FS)) {
		t.Helper()
		d := s.disk.Clone()
		damage(d)
		if outcome, err := s.judge(d); !strings.Contains(want, outcome) {
			t.Errorf("%s: %s, want %s: %v", what, outcome, want, err)
		}
	}
	check("tail", refusal, func(d *memfs.FS) { put(t, d, other.disk, tailFile) })
	check("head file", refusal, func(d *memfs.FS) { put(t, d, other.disk, headFile) })
	check("tail and head file", refusal, func(d *memfs.FS) { put(t, d, other.disk, headFile); put(t, d, other.disk, tailFile) })
	check("newest header", refusal, func(d *memfs.FS) { keepBlocks(t, d, other.disk, tailFile, s.slot, 1) })
	check("older header", harmless, func(d *memfs.FS) { keepBlocks(t, d, other.disk, tailFile, 1-s.slot, 1) })
	check("both headers", refusal, func(d *memfs.FS) { keepBlocks(t, d, other.disk, tailFile, 0, 2) })
	for number := firstFrame; number < s.end; number++ {
		check(fmt.Sprint("block ", number), refusal, func(d *memfs.FS) { keepBlocks(t, d, other.disk, tailFile, number, 1) })
	}
	for number := s.end; number < s.end+3; number++ {
		check(fmt.Sprint("block ", number), harmless, func(d *memfs.FS) { keepBlocks(t, d, other.disk, tailFile, number, 1) })
	}
	for i := range 2 {
		check(fmt.Sprint("slot ", i), refusal, func(d *memfs.FS) { keepBlocks(t, d, other.disk, headFile, i, 1) })
	}
	// Pebble's files may have the same names and sizes on both nodes: the first
	// that reads them finds it.
	check("Pebble's files", refusal+" or "+found, func(d *memfs.FS) { putPebble(t, d, other.disk) })
	check("everything but the head file", refusal, func(d *memfs.FS) { put(t, d, other.disk, tailFile); putPebble(t, d, other.disk) })
}

// TestCrashDamageNewer: data of a newer version is never reported as damage.
func TestCrashDamageNewer(t *testing.T) {
	s := newSpecimen(t)
	newer := func(b []byte) { b[11] = blockFormat + 1 }
	for name, change := range map[string]func(d *memfs.FS){
		"newest header": func(d *memfs.FS) { editBlock(t, d, tailFile, s.slot, newer) },
		"older header":  func(d *memfs.FS) { editBlock(t, d, tailFile, 1-s.slot, newer) },
		"first frame":   func(d *memfs.FS) { editBlock(t, d, tailFile, firstFrame, newer) },
		"last frame":    func(d *memfs.FS) { editBlock(t, d, tailFile, s.frames[2].block, newer) },
		"the next frame": func(d *memfs.FS) {
			writeFrameAt(t, d, s.end, 3, entryOf("b", "Tested", 1), s.acked)
			editBlock(t, d, tailFile, s.end, newer)
		},
		"a slot": func(d *memfs.FS) { editBlock(t, d, headFile, 0, newer) },
		"an envelope": func(d *memfs.FS) {
			raw := []byte(`{"v":2,"seq":"in words"}`)
			b := read(t, d, tailFile)
			copy(b[s.end*blockSize:], encodeFrame(3, s.acked.Seq+1, record.HashOf(raw), raw, s.end))
			overwrite(t, d, tailFile, b)
		},
		"Pebble's format": func(d *memfs.FS) {
			for _, n := range s.pebble {
				if strings.Contains(n, "format-version") {
					noErr(t, d.Rename(n, n[:len(n)-3]+"999"))
				}
			}
			d.SyncAll()
		},
	} {
		d := s.disk.Clone()
		change(d)
		g := &gate{boot: newBoot(), sizes: []int{1}}
		before := d.Dump()
		if err := g.run(d); !errors.Is(err, errs.ErrNewer) || isDamage(err) || !maps.Equal(d.Dump(), before) {
			t.Errorf("%s: %v", name, err)
		}
		if f := FindingOf(g.run(d)); f.Code != CodeNewer {
			t.Errorf("%s: reported as %s", name, f.Code)
		}
	}
}

// TestCrashDamagePairs tries every pair of single faults: a block of the tail or a
// slot that is flipped, zeroed or replaced by an older one, and a file that is
// absent. Two faults lose a record only if one of them is in the last frame and
// the other in the newest slot or the head file.
func TestCrashDamagePairs(t *testing.T) {
	s := newSpecimen(t)
	past := s.disk.Clone()
	boot(t, s.disk, 1)
	s.recs, s.acked = history(t, s.disk), acknowledged(t, s.disk)
	v := must[*View](t)(OpenView(s.disk, small))
	s.frames, s.end, s.newest = v.frames, v.next, v.head.newest()
	noErr(t, v.Close())
	type single struct {
		name string
		do   func(d *memfs.FS)
	}
	var faults []single
	block := func(name, file string, number int) {
		faults = append(faults,
			single{name + " flipped", func(d *memfs.FS) {
				b := read(t, d, file)
				b[number*blockSize+90] ^= 1
				overwrite(t, d, file, b)
			}},
			single{name + " zeroed", func(d *memfs.FS) {
				b := read(t, d, file)
				clear(b[number*blockSize:][:blockSize])
				overwrite(t, d, file, b)
			}},
			single{name + " put back", func(d *memfs.FS) { keepBlocks(t, d, past, file, number, 1) }})
	}
	block("newest header", tailFile, s.slot)
	block("older header", tailFile, 1-s.slot)
	block("newest slot", headFile, s.newest)
	block("older slot", headFile, 1-s.newest)
	for i, f := range s.frames {
		name := fmt.Sprint("frame ", i)
		if i == len(s.frames)-1 {
			name = "last frame"
		}
		block(name, tailFile, f.block)
	}
	block("next block", tailFile, s.end)
	faults = append(faults,
		single{"head file absent", func(d *memfs.FS) { _ = d.Remove(headFile); d.SyncAll() }},
		single{"head file put back", func(d *memfs.FS) { put(t, d, past, headFile) }},
		single{"tail put back", func(d *memfs.FS) { put(t, d, past, tailFile) }})
	tally := map[string]int{}
	for i, a := range faults {
		for j, b := range faults[i:] {
			if j == 0 {
				b = single{"nothing", func(*memfs.FS) {}}
			}
			d := s.disk.Clone()
			b.do(d) // the file that is absent or put back first
			if _, err := d.Lstat(headFile); err == nil || !strings.Contains(a.name, "slot") {
				a.do(d)
			}
			outcome, err := s.judge(d)
			if want := takesTheLast(a.name, b.name); (outcome == lost) != want || strings.Contains(outcome, "kind") {
				t.Errorf("%s + %s: %s, want lost %t: %v", a.name, b.name, outcome, want, err)
			}
			tally[outcome]++
		}
	}
	t.Log(tally)
}

// takesTheLast reports whether two faults together lose the newest record without
// a refusal: its frame and the slot that names it are both gone or older.
func takesTheLast(a, b string) bool {
	if strings.HasPrefix(a, "last frame") || strings.HasPrefix(a, "tail") {
		a, b = b, a
	}
	return (strings.HasPrefix(a, "newest slot") || strings.HasPrefix(a, "head file")) &&
		(strings.HasPrefix(b, "last frame") || strings.HasPrefix(b, "tail")) &&
		(a != "head file absent" || b != "last frame flipped") // then a torn end is refused
}
