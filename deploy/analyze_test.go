package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxExposure: the units' limits in systemd-analyze security, in tenths.
var maxExposure = map[string]string{
	"edged-precheck.service":   "20",
	"edged-scrub.service":      "20",
	"edged-checkpoint.service": "20",
	"edged-ship.service":       "25",
	"edged.service":            "30",
	"edgehub.service":          "20",
}

func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	out, err := exec.Command(tool, args...).CombinedOutput()
	return string(out), err
}

func TestSecurity(t *testing.T) {
	for name, limit := range maxExposure {
		out, err := analyze(t, "security", "--no-pager", "--offline=yes", "--threshold="+limit, unitFile(name))
		if err != nil {
			t.Errorf("%s: exposure is above %s tenths: %v\n%s", name, limit, err, out)
			continue
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, "Overall exposure") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// image lays out the parts of an image that systemd-analyze verify looks at.
func image(t *testing.T) (root, units string) {
	t.Helper()
	root = t.TempDir()
	units = filepath.Join(root, "usr/lib/systemd/system")
	write := func(path, content string, perm os.FileMode) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), perm); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"sysinit", "basic", "shutdown", "network", "time-set", "timers", "multi-user", "time-sync", "network-online", "boot-complete"} {
		write(filepath.Join(units, target+".target"), "[Unit]\nDefaultDependencies=no\n", 0o644)
	}
	for _, bin := range []string{"/usr/bin/edged", "/usr/bin/edgectl", "/usr/bin/edgehub", "/usr/libexec/edged/write-checkpoint", "/persist/edge/runtime/edged"} {
		write(filepath.Join(root, bin), "#!/bin/sh\n", 0o755)
	}
	files, err := filepath.Glob("systemd/edged*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no units: %v", err)
	}
	for _, f := range append(files, filepath.Join("systemd", goodBoot), unitFile("edgehub.service")) {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		write(filepath.Join(units, strings.TrimPrefix(strings.TrimPrefix(f, "systemd/"), "hub/")), string(data), 0o644)
	}
	return root, units
}

// verify runs systemd-analyze verify on all units of an image and drops what
// it says of system calls that this systemd's own lists have and its library
// does not know.
func verify(t *testing.T, root, units string) (string, error) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(units, "edge*"))
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, filepath.Join(units, "boot-complete.target"))
	for i := range files {
		files[i] = strings.TrimPrefix(files[i], root)
	}
	out, err := analyze(t, append([]string{"verify", "--recursive-errors=no", "--man=no", "--root=" + root}, files...)...)
	var kept strings.Builder
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "Failed to parse system call, ignoring") {
			kept.WriteString(line)
		}
	}
	return kept.String(), err
}

func TestVerify(t *testing.T) {
	root, units := image(t)
	if out, err := verify(t, root, units); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The check above can fail: a misspelt key and a missing binary are noticed.
func TestVerifyNotices(t *testing.T) {
	root, units := image(t)
	name := filepath.Join(units, "edged-precheck.service")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(data), "RuntimeDirectory=", "RuntimeDirektory=", 1)
	if err := os.WriteFile(name, []byte(bad), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(t, root, units); err == nil && out == "" {
		t.Error("a misspelt key goes unnoticed")
	}

	root, units = image(t)
	if err := os.Remove(filepath.Join(root, "usr/bin/edged")); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(t, root, units); err == nil && out == "" {
		t.Error("a missing binary goes unnoticed")
	}
}
