package vm

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// The life of a node: its kernel, its distribution and both are replaced, it is rolled back, and it
// is rebooted in between.
func TestVM_Replacement(t *testing.T) {
	l := newLab(t)
	for _, fs := range chosen(t) {
		t.Run(fs, func(t *testing.T) {
			t.Parallel()
			l.replace(t, l.disk(t, fs))
		})
	}
}

// replace boots each step of the scenario. changed is what the gate must report, "" for a boot that
// must be silent.
func (l *lab) replace(t *testing.T, d *disk) {
	const kernel, distribution = "uname_release", "etc_os_release usr_lib_os_release"
	var epoch int
	var before finding
	for i, step := range []struct {
		name                 string
		kernel, distribution int
		changed              string
	}{
		{"first boot", 0, 0, "first"},
		{"reboot", 0, 0, ""},
		{"kernel-only update", 1, 0, kernel},
		{"distribution change", 1, 1, distribution},
		{"reboot", 1, 1, ""},
		{"both at once", 0, 0, distribution + " " + kernel},
		{"both at once again", 1, 1, distribution + " " + kernel},
		{"rollback to the first system", 0, 0, distribution + " " + kernel},
		{"reboot", 0, 0, ""},
	} {
		o := l.systems[step.kernel][step.distribution]
		what := fmt.Sprintf("%s (%s)", step.name, o.name)
		b := start(t, o, d, drive(d.image), nil)
		b.mustPass(t, what)
		said := b.messages()
		switch step.changed {
		case "":
			equal(t, what+": the gate's messages", said, "")
		case "first":
			if !strings.HasPrefix(said, "level=INFO msg=edge.os.fingerprint_initialized") || strings.Contains(said, "\n") {
				t.Errorf("%s: the gate's messages:\n%s", what, said)
			}
		default:
			epoch++
			want := regexp.MustCompile(fmt.Sprintf(`^level=WARN msg=edge\.os\.update_detected previous_hash=%s current_hash=[0-9a-f]{64} changed="?\[%s\]"? .*
level=INFO msg=edge\.os\.reconstruction_started .*
level=INFO msg=edge\.os\.reconstruction_completed duration_seconds=\S+ boot_epoch=%d$`, before.fingerprint.Composite, step.changed, epoch))
			if !want.MatchString(said) {
				t.Errorf("%s: the gate's messages:\n%s\nwant %s", what, said, want)
			}
		}
		f := d.look()
		f.judge(t, what, o, epoch)
		if i > 0 {
			f.judgeAfter(t, what, before)
		}
		t.Logf("%-62s exit %s, epoch %d, %d records", what, &b, f.epoch, strings.Count(f.records, "\n"))
		before = f
	}
}

// judge requires everything that holds after a boot of o that passed.
func (f *finding) judge(t testing.TB, what string, o opsys, epoch int) {
	t.Helper()
	equal(t, what+": journal verify --deep", f.verify, "")
	equal(t, what+": projections check", f.projections, "")
	equal(t, what+": epoch", f.epoch, epoch)
	equal(t, what+": EpochRotated in the journal", f.rotated, epoch)
	equal(t, what+": the fingerprint's epoch", f.fingerprint.Epoch, epoch)
	equal(t, what+": the fingerprint's kernel", f.fingerprint.Uname, o.release)
	equal(t, what+": the fingerprint's os-release", f.fingerprint.OSRelease, o.osRelease)
	if epoch == 0 {
		return
	}
	equal(t, what+": the evidence's fingerprint", f.evidence.OSFingerprint, f.fingerprint)
	equal(t, what+": the installed runtime", f.installed, f.source)
}

// judgeAfter requires what a boot must leave as it was.
func (f *finding) judgeAfter(t testing.TB, what string, before finding) {
	t.Helper()
	equal(t, what+": mission data", f.mission, before.mission)
	if !strings.HasPrefix(f.records, before.records) {
		t.Errorf("%s: the records up to %s are lost or changed: the head is %s", what, before.head, f.head)
	}
}
