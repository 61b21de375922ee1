package vm

import (
	"fmt"
	"testing"
	"time"
)

// systemd starts the gate and the daemon from the units of our package, in a Debian system that is replaced.
func TestVM_Systemd(t *testing.T) {
	l := newLab(t)
	began := time.Now()
	image := l.rootImage(t)
	t.Logf("the image: %s", time.Since(began).Round(time.Second))
	boots := 0
	t.Cleanup(func() { t.Logf("%d boots, %s", boots, time.Since(began).Round(time.Second)) })
	for _, fs := range chosen(t) {
		for name, steps := range map[string][]step{"update": anUpdate, "not-enabled": notEnabled} {
			boots += len(steps)
			t.Run(fs+"-"+name, func(t *testing.T) {
				t.Parallel()
				l.live(t, l.newNode(t, fs, image), steps)
			})
		}
	}
}

// A step is one boot, and what must be seen of it.
type step struct {
	name                 string
	kernel, distribution int
	prepare              string // a script on the partition, before the boot
	change               string // a script beside the root filesystem, before the boot
	gate                 string // its state, result and exit status
	daemon               int    // the number of the mission runtime that runs; 0 if none must
	shown, why           string // what systemctl status shows of a gate that did not pass, and of the daemon
	epoch                int
	events               []string // of the gate's log: priority, event, epoch in force
}

const passes, fails = "active success 0", "failed exit-code 5"

// anUpdate is one under a manifest whose signature is damaged: an A/B updater falls back, and tries again
// after the repair. The last boot also settles.
var anUpdate = []step{
	{name: "first boot", gate: passes, daemon: 1,
		events: []string{"6 edge.os.fingerprint_initialized 0"}},
	{name: "update under a damaged signature", kernel: 1, distribution: 1, gate: fails,
		prepare: deployRuntime(2) + "head -c 64 /dev/urandom >$STATE/runtime/manifest.json.sig\n",
		shown:   "(code=exited, status=5)", why: "Dependency failed for edged.service",
		events: []string{"4 edge.os.update_detected 0", "6 edge.os.reconstruction_started 0", "3 precheck: manifest signature verification failed 0"}},
	{name: "fallback", gate: passes, daemon: 1,
		events: []string{"4 edge.os.update_abandoned 0"}},
	{name: "update after the repair", kernel: 1, distribution: 1, prepare: sign + age, gate: passes, daemon: 2, epoch: 1,
		events: []string{"4 edge.os.update_detected 0", "6 edge.os.reconstruction_started 0", "6 edge.os.reconstruction_completed 1"}},
}

// notEnabled are images that do not start the gate by themselves. Requires= starts it nevertheless, except if
// it is masked.
var notEnabled = []step{
	{name: "gate disabled", change: "chroot persist systemctl --quiet disable edged-precheck.service\n", gate: passes, daemon: 1,
		events: []string{"6 edge.os.fingerprint_initialized 0"}},
	{name: "gate masked", change: "chroot persist systemctl --quiet mask edged-precheck.service\n", gate: "inactive success 0",
		shown: "Loaded: masked", why: "AssertPathExists=/run/edged/passed was not met"},
}

// deployRuntime puts a mission runtime that names its number on the partition, and the signed manifest that
// installs it. One of its destinations is in folders that the gate makes.
func deployRuntime(n int) string {
	return fmt.Sprintf(`printf '#!/bin/sh\necho mission runtime %[1]d\nexec sleep infinity\n' >$STATE/runtime/binaries/edged
chmod 0755 $STATE/runtime/binaries/edged
rm -f $STATE/runtime/manifest.json
edgectl manifest new --serial %[1]d --copy-binary edged:runtime/edged --copy-binary edged:runtime/tools/new/edged --out $STATE/runtime/manifest.json >/dev/null
`, n) + sign
}

const sign = `edgectl manifest sign --key $TEMPLATE/manifest-verify.key >/dev/null
`

// live boots each step.
func (l *lab) live(t *testing.T, n *node, steps []step) {
	before := n.d.prepare("")
	for _, s := range steps {
		if s.prepare != "" {
			before = n.d.prepare(s.prepare)
		}
		o := l.systems[s.kernel][s.distribution]
		what := fmt.Sprintf("%s (%s)", s.name, o.name)
		began := time.Now()
		saw, f := n.boot(what, o, s.change)
		saw.judge(what, s, f)
		f.judgeAfter(t, what, before)
		if s.daemon > 0 {
			f.judge(t, what, o, s.epoch)
			f.judgeModes(t, what, n.d)
		} else {
			equal(t, what+": journal verify --deep", f.verify, "")
			equal(t, what+": epoch", f.epoch, s.epoch)
		}
		t.Logf("%-62s %s; the gate in blame: %s; %s in all", what, s.gate, saw.blame("edged-precheck.service"), time.Since(began).Round(time.Second))
		before = f
	}
}
