package tlscert

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestInstallPowerLoss cuts the power after every change, with all, some or
// none of what was not flushed on the disk.
func TestInstallPowerLoss(t *testing.T) {
	f := makeFixture(t)
	total := 0
	for _, s := range sites {
		base := realDir(t)
		d := &recorder{failAt: -1}
		if err := install(d, f.bundle(t, s, base), f.r); err != nil {
			t.Fatal(err)
		}
		total += f.judgeLog(t, s, base, d.log, 0)
		if got := f.which(f.bundlePaths(t, s, base)); got != "new" {
			t.Fatalf("%s: the pair is %s", s.name, got)
		}
	}
	t.Logf("%d states after a power loss", total)
}

// TestRecoverPowerLoss kills the process before every change of an
// installation and cuts the power after every change of the recovery.
func TestRecoverPowerLoss(t *testing.T) {
	f, total := makeFixture(t), 0
	for _, s := range sites[:2] {
		for n := 0; ; n++ {
			base := realDir(t)
			b := f.bundle(t, s, base)
			d := &recorder{failAt: n, crash: true}
			_ = install(d, b, f.r)
			if len(d.log) <= n {
				break
			}
			p, err := locate(host{}, b.Paths)
			if err != nil {
				t.Fatal(err)
			}
			if !p.key.linked && !p.cert.linked && n%6 != 0 {
				continue // only a working directory to remove: a sample will do
			}
			again := &recorder{failAt: -1}
			if _, err := tidy(again, b.Paths); err != nil {
				t.Fatal(err)
			}
			total += f.judgeLog(t, s, base, slices.Concat(d.log[:n], again.log), n+1)
		}
	}
	t.Logf("%d states after a power loss", total)
}

// bundlePaths are the configured paths of a pair that was laid out in base.
func (f fixture) bundlePaths(t *testing.T, s site, base string) Paths {
	t.Helper()
	scratch := realDir(t)
	p := s.lay(t, scratch, f.n.certPEM, f.n.keyPEM)
	return Paths{Cert: strings.Replace(p.Cert, scratch, base, 1), Key: strings.Replace(p.Key, scratch, base, 1)}
}

// judgeLog makes every disk that a power loss may leave after the first n
// changes, for n from first on, and expects of each a matching pair, before
// and after the recovery, and nothing left behind.
func (f fixture) judgeLog(t *testing.T, s site, base string, log []change, first int) (states int) {
	t.Helper()
	for n := first; n <= len(log); n++ {
		if n < len(log) && log[n].kind != "sync" {
			continue // what may be on the disk now may be so before the next flush too
		}
		for _, disk := range afterPowerLoss(log, n) {
			states++
			copied := realDir(t)
			p := s.lay(t, copied, f.n.certPEM, f.n.keyPEM)
			before := tree(t, copied)
			for _, c := range disk {
				c.replay(base, copied)
			}
			seen := f.which(p)
			if seen != "old" && seen != "new" {
				t.Fatalf("%s, after %d changes, %d on the disk: the pair is %s", s.name, n, len(disk), seen)
			}
			if _, err := tidy(&recorder{failAt: -1}, p); err != nil {
				t.Fatalf("%s, after %d changes, %d on the disk: %v", s.name, n, len(disk), err)
			}
			if got := f.which(p); got != seen {
				t.Fatalf("%s, after %d changes: the pair is %s, was %s", s.name, n, got, seen)
			}
			if after := tree(t, copied); !slices.Equal(before, after) {
				t.Fatalf("%s, after %d changes: names or modes were\n%v\nare\n%v", s.name, n, before, after)
			}
			if err := os.RemoveAll(copied); err != nil {
				t.Fatal(err)
			}
		}
	}
	return states
}
