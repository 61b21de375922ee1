package vm

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// subsets is how many images are built of each interval between two flushes, beside that of its start.
const subsets = 3

// A kill of QEMU keeps what the host has cached. Here the guest's writes are recorded, and the disk is
// built as a power cut may leave it: at each flush, and with some of the writes that follow it. On each
// image the host's gate must recover.
func TestVM_RecordedWrites(t *testing.T) {
	l := newLab(t)
	seed := uint64(number(t, "EDGED_VM_SEED", int(time.Now().Unix())))
	t.Logf("EDGED_VM_SEED=%d", seed)
	for n, fs := range chosen(t) {
		t.Run(fs, func(t *testing.T) {
			t.Parallel()
			r := &recording{T: t, d: l.disk(t, fs), rng: rand.New(rand.NewPCG(seed, uint64(n)))} //nolint:gosec // chooses images
			began := time.Now()
			b := start(t, l.systems[0][0], r.d, drive(r.d.image), nil)
			b.mustPass(t, "first boot")
			r.record("first update", l.systems[1][1], fmt.Sprintf(deploy, 2), 1)
			r.record("second update", l.systems[0][1], fmt.Sprintf(deploy, 3), 1)
			r.record("reboot that settles", l.systems[0][1], age, 0)
			t.Logf("%d images, %s", r.images, time.Since(began).Round(time.Second))
		})
	}
}

// A recording is the boots of one disk.
type recording struct {
	*testing.T
	d      *disk
	rng    *rand.Rand
	images int
	epoch  int // after the newest boot
}

// record boots once with a log of the writes, and judges each state of the disk in between. advance is
// by how much the boot advances the epoch.
func (r *recording) record(kind string, o opsys, prepare string, advance int) {
	r.Helper()
	before := r.d.prepare(prepare)
	log, state := filepath.Join(r.d.Dir, "log"), filepath.Join(r.d.Dir, "state")
	r.d.Sh(`cp --sparse=always $DIR/disk $DIR/state; : >$DIR/log`)
	b := start(r.T, o, r.d, recorded(r.d.image, log), nil)
	b.mustPass(r.T, kind)
	intervals := readLog(r.T, log)
	writes, images := 0, r.images
	r.epoch += advance
	for n, i := range intervals {
		what := fmt.Sprintf("%s, interval %d of %d", kind, n, len(intervals))
		before = r.judge(what+", its start", nil, before, advance)
		for s := range subsets {
			left := i.subset(r.rng, r.d.fs)
			r.judge(fmt.Sprintf("%s, subset %d", what, s), left, before, advance)
		}
		i.apply(r.T, state)
		writes += len(i)
	}
	before = r.judge(kind+", the end", nil, before, advance)
	equal(r, kind+": the epoch at the end", before.epoch, r.epoch)
	r.d.Sh(`cmp $DIR/disk $DIR/state`)
	r.Logf("%s: %d writes in %d intervals, %d images", kind, writes, len(intervals), r.images-images)
}

// judge builds an image of the state and some writes, and has the host's gate recover on it. It returns
// what was on the image before.
func (r *recording) judge(what string, left interval, earlier finding, advance int) finding {
	r.Helper()
	r.images++
	image := filepath.Join(r.d.Dir, "state")
	if len(left) > 0 {
		r.d.Sh(`cp --sparse=always $DIR/state $DIR/image`)
		image = filepath.Join(r.d.Dir, "image")
		left.apply(r.T, image)
	}
	r.d.mountedCopy(image, look+recoverHere)
	before, after := r.d.found("before"), r.d.found("found")
	before.judgeIntact(r, what, earlier)
	before.judgeAfter(r, what, earlier)
	if before.epoch != r.epoch && before.epoch != r.epoch-advance {
		r.Errorf("%s: epoch %d, want %d or %d", what, before.epoch, r.epoch-advance, r.epoch)
	}
	what += ", recovered"
	equal(r, what+": the gate's exit code", strings.TrimSpace(after.gate), "0")
	equal(r, what+": journal verify --deep", after.verify, "")
	equal(r, what+": projections check", after.projections, "")
	// To the gate, the host is one more update: it completes an open reconstruction, or begins one. It may
	// have found the record of a commit that nothing acknowledged, and that readers do not show.
	found := after.firstOfRun(r.T)
	if found != r.epoch && found != r.epoch-advance || found < before.epoch {
		r.Errorf("%s: the gate found epoch %d, want %d or %d, and at least %d", what, found, r.epoch-advance, r.epoch, before.epoch)
	}
	equal(r, what+": epoch", after.epoch, found+1)
	equal(r, what+": EpochRotated in the journal", after.rotated, after.epoch)
	equal(r, what+": the evidence's fingerprint", after.evidence.OSFingerprint, after.fingerprint)
	equal(r, what+": the installed runtime", after.installed, after.source)
	after.judgeAfter(r, what, before)
	return before
}

// firstOfRun returns the epoch of the first record of the newest run.
func (f *finding) firstOfRun(t *testing.T) int {
	t.Helper()
	var epoch int
	run := ""
	for line := range strings.Lines(f.records) {
		var r struct {
			Run   string
			Epoch int
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Run != run {
			run, epoch = r.Run, r.Epoch
		}
	}
	return epoch
}

// recoverHere runs the host's gate on the mounted image, with the node's config for the paths here, and
// looks again.
const recoverHere = `
rm -rf before; mv found before
sed "s|/persist/edge|$STATE|g" $STATE/bootstrap/config.yaml >host.yaml
exit=0; EDGE_CONFIG=$DIR/host.yaml edged precheck 2>gate.log || exit=$?
` + look + `
echo $exit >found/gate; [ $exit = 0 ] || cat gate.log >>found/gate`
