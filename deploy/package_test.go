package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackage looks into the packages that make package left in dist/, with
// dpkg's own eyes.
func TestPackage(t *testing.T) {
	debs, err := filepath.Glob("../dist/*.deb")
	if err != nil || len(debs) == 0 {
		t.Skip("no package in dist/: make package builds it")
	}
	dpkg, err := exec.LookPath("dpkg-deb")
	if err != nil {
		t.Skip("dpkg-deb is not installed")
	}
	want := []string{
		"-rwxr-xr-x ./usr/bin/edged", "-rwxr-xr-x ./usr/bin/edgectl", "-rwxr-xr-x ./usr/libexec/edged/write-checkpoint",
		"-rw-r--r-- ./usr/lib/systemd/system-preset/80-edged.preset", "-rw-r--r-- ./usr/share/doc/edged/copyright",
		"-rw-r--r-- ./usr/share/bash-completion/completions/edged", "-rw-r--r-- ./usr/share/zsh/vendor-completions/_edgectl",
		"-rw-r--r-- ./usr/share/fish/vendor_completions.d/edged.fish",
	}
	units, err := filepath.Glob("systemd/edged*")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		want = append(want, "-rw-r--r-- ./usr/lib/systemd/system/"+filepath.Base(u))
	}
	for _, deb := range debs {
		if out, err := exec.Command(dpkg, "-I", deb).CombinedOutput(); err != nil || !strings.Contains(string(out), " Package: edged\n") {
			t.Errorf("dpkg-deb -I %s: %v\n%s", deb, err, out)
		}
		cmd := exec.Command(dpkg, "-c", deb)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("dpkg-deb -c %s: %v\n%s", deb, err, out)
			continue
		}
		have := map[string]bool{}
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line) // mode owner size date time name
			if len(f) < 6 {
				t.Fatalf("%s: not a listing: %q", deb, line)
			}
			if f[1] != "root/root" {
				t.Errorf("%s: %s belongs to %s", deb, f[5], f[1])
			}
			if strings.HasSuffix(f[5], ".go") || strings.HasPrefix(f[5], "./etc/") {
				t.Errorf("%s: %s has no place in it", deb, f[5])
			}
			have[f[0]+" "+f[5]] = true
		}
		for _, w := range want {
			if !have[w] {
				t.Errorf("%s: %s is missing", deb, w)
			}
		}
	}
}
