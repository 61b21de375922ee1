package vm

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// cutsPerRound: each round has a disk of its own, so that no history becomes so long that judging it
// takes longer than a boot.
const cutsPerRound = 10

// QEMU is killed while the gate runs, at swept and random times. Each cut is followed by a boot that
// must pass, after up to two more cuts. EDGED_VM_CUTS is their number, EDGED_VM_SEED repeats a run's
// choices, and EDGED_VM_KEEP names a folder for the disks of rounds that fail.
func TestVM_PowerCuts(t *testing.T) {
	l := newLab(t)
	all := number(t, "EDGED_VM_CUTS", 100)
	seed := uint64(number(t, "EDGED_VM_SEED", int(time.Now().Unix())))
	t.Logf("%d cuts, EDGED_VM_SEED=%d", all, seed)
	c := &cuts{lab: l, aim: aim{of: map[string]boot{}, next: map[string]int{}}, left: map[string]int{}}
	began := time.Now()
	c.calibrate(t)
	t.Run("rounds", func(t *testing.T) {
		filesystems := chosen(t)
		for round := 0; round*cutsPerRound < all; round++ {
			fs := filesystems[round%len(filesystems)]
			t.Run(fmt.Sprintf("%03d-%s", round, fs), func(t *testing.T) {
				t.Parallel()
				r := &life{cuts: c, T: t, d: l.disk(t, fs), rng: rand.New(rand.NewPCG(seed, uint64(round)))} //nolint:gosec // chooses times
				r.run(min(cutsPerRound, all-round*cutsPerRound))
			})
		}
	})
	t.Logf("%d boots, of them %d cut; %d violations; %s", c.boots.Load(), c.cut.Load(), c.violations.Load(), time.Since(began).Round(time.Second))
	for _, what := range slices.Sorted(maps.Keys(c.left)) {
		t.Logf("%4d cuts of a %s", c.left[what], what)
	}
}

// number returns the number in an environment variable.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number above 0", name, text)
	}
	return n
}

// cuts are all rounds of a run.
type cuts struct {
	*lab
	aim                    aim
	boots, cut, violations atomic.Int64
	mu                     sync.Mutex
	left                   map[string]int // what cuts left of a boot, and how often
}

// calibrate boots without a cut.
func (c *cuts) calibrate(t *testing.T) {
	t.Helper()
	d := c.disk(t, "ext4")
	for _, step := range []struct {
		kind, prepare string
		system        opsys
	}{
		{"first boot", "", c.systems[0][0]},
		{"update", "", c.systems[1][1]},
		{"reboot", "", c.systems[1][1]},
		{"settling update", age, c.systems[0][1]},
	} {
		d.prepare(step.prepare)
		b := start(t, step.system, d, drive(d.image), nil)
		b.mustPass(t, step.kind)
		c.aim.learn(step.kind, b)
		t.Logf("the gate of a %s without a cut: %s, %d writes", step.kind, b.gate.Round(time.Millisecond), b.writes)
	}
}

// A life is that of one disk: what it holds after each boot, and what the next must lead to.
type life struct {
	*cuts
	*testing.T
	d      *disk
	rng    *rand.Rand
	system [2]int // the running one: kernel and distribution
	epoch  int
	before finding // after the newest boot
	did    int     // cuts
}

// Errorf counts a violation and keeps the disk.
func (r *life) Errorf(format string, args ...any) {
	r.Helper()
	r.violations.Add(1)
	r.T.Errorf(format, args...)
	if keep := os.Getenv("EDGED_VM_KEEP"); keep != "" {
		kept := filepath.Join(keep, strings.ReplaceAll(r.Name(), "/", "-"))
		r.d.Sh(fmt.Sprintf("mkdir -p %[1]q; cp --sparse=always $DIR/disk %[1]q/after; cp --sparse=always $DIR/cut %[1]q/cut", kept))
	}
}

// run makes n cuts: first one of the first boot, then of updates and reboots.
func (r *life) run(n int) {
	r.before = r.d.prepare("")
	r.step("first boot", n)
	for serial := 2; r.did < n; serial++ {
		kind, script := "update", fmt.Sprintf(deploy, serial)
		switch n := r.rng.IntN(10); {
		case n < 2:
			kind, script = "reboot", ""
		case n < 5:
			kind, script = "settling update", age+script
		}
		if kind != "reboot" {
			r.system = r.another()
			r.epoch++
		}
		r.before = r.d.prepare(script)
		r.step(kind, n)
	}
}

// another returns a system that differs in the kernel, the distribution or both.
func (r *life) another() [2]int {
	change := 1 + r.rng.IntN(3)
	return [2]int{r.system[0] ^ change&1, r.system[1] ^ change>>1}
}

// step cuts a boot, once or up to three times, and lets it recover.
func (r *life) step(kind string, n int) {
	o := r.systems[r.system[0]][r.system[1]]
	what := kind + " with " + o.name
	first := r.before
	for times := 0; times == 0 || times < 3 && r.did < n && r.rng.IntN(4) == 0; times++ {
		at := r.aim.at(r.rng, kind)
		b := start(r.T, o, r.d, drive(r.d.image), at)
		if !b.cut {
			r.Fatalf("%s ended before the gate started\n%s", what, b.console)
		}
		r.did++
		r.boots.Add(1)
		r.cut.Add(1)
		r.judgeCut(fmt.Sprintf("%s, cut at %s", what, at), kind, first)
	}
	b := start(r.T, o, r.d, drive(r.d.image), nil)
	r.boots.Add(1)
	what += ", after a cut"
	b.mustPass(r.T, what)
	f := r.d.look()
	f.judge(r, what, o, r.epoch)
	f.judgeAfter(r, what, r.before)
	r.Logf("%s: exit %s, epoch %d, %d records", what, &b, f.epoch, strings.Count(f.records, "\n"))
}

// repaired are errors of verify that the next boot repairs: the power was lost while a record was
// written, or after the commit point and before the files that follow it were published.
var repaired = regexp.MustCompile(`(?m)^error: record \d+: (projection: .*; the next boot writes it again|torn_tail: .* not acknowledged; the next boot overwrites it)\n`)

// uncreated is the error of verify on a new journal whose head file was not created yet. The next boot
// that is not cut creates it.
const uncreated = "error: journal: head_mismatch: bootstrap/journal_head is absent\n"

// judgeIntact requires that a journal whose boot was cut is intact. before is what was there before.
func (f *finding) judgeIntact(t testing.TB, what string, before finding) {
	t.Helper()
	errors := repaired.ReplaceAllString(f.verify, "")
	if before.records == "" || strings.Contains(before.verify, uncreated) {
		errors = strings.Replace(errors, uncreated, "", 1)
	}
	if strings.Contains(errors, "error:") || f.verify != "" && !strings.Contains(f.verify, "error:") {
		t.Errorf("%s: journal verify --deep: %s", what, f.verify)
	}
}

// judgeCut requires what holds after every cut. first is what was on the disk before the first cut of
// this step.
func (r *life) judgeCut(what, kind string, first finding) {
	r.Helper()
	f := r.d.lookAfterCut()
	f.judgeIntact(r, what, r.before)
	f.judgeAfter(r, what, r.before)
	r.before = f
	update, earlier := kind != "first boot" && kind != "reboot", r.epoch
	if update {
		earlier--
	}
	if f.epoch != r.epoch && f.epoch != earlier {
		r.Errorf("%s: epoch %d, want %d or %d", what, f.epoch, earlier, r.epoch)
	}
	equal(r, what+": EpochRotated in the journal", f.rotated, f.epoch)
	if f.installed != first.installed && f.installed != f.source {
		r.Errorf("%s: the installed runtime is neither the one before nor its source", what)
	}
	added := strings.Count(f.records, "\n") - strings.Count(first.records, "\n")
	left := fmt.Sprintf("%s: %d new records", kind, added)
	if update && f.epoch == r.epoch {
		left += ", committed"
	}
	r.Logf("%s: %d new records, epoch %d", what, added, f.epoch)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left[left]++
}

// deploy puts another mission runtime and its signed manifest, of a serial number, on the partition, as
// an operator does before an update.
const deploy = `head -c 700000 /dev/urandom >$STATE/runtime/binaries/edged
rm -f $STATE/runtime/manifest.json
edgectl manifest new --serial %d --copy-binary edged:runtime/edged --out $STATE/runtime/manifest.json >/dev/null
edgectl manifest sign --key $TEMPLATE/manifest-verify.key >/dev/null
`

// age appends records, so that the next boot settles.
const age = `for i in {1..16}; do
	edgectl drill --reason "to age the journal"
	edgectl drill --cancel --reason "to age the journal"
done >/dev/null
`

// prepare runs a script on the partition and returns what is there then.
func (d *disk) prepare(script string) finding {
	d.T.Helper()
	d.mounted(d.image, "rw", script+look)
	return d.found("found")
}

// lookAfterCut judges a disk whose filesystem was never unmounted, on a copy: the mount replays the
// filesystem's log, which is the next boot's work.
func (d *disk) lookAfterCut() finding {
	d.T.Helper()
	d.Sh(`cp --sparse=always $DIR/disk $DIR/cut`)
	d.mountedCopy(filepath.Join(d.Dir, "cut"), look)
	return d.found("found")
}
