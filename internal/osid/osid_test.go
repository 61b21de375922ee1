package osid

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/autonomyops/edged/internal/durable"
	"github.com/autonomyops/edged/internal/errs"
	"github.com/autonomyops/edged/machine"
)

const (
	etcText = "ID=ubuntu\nVERSION_ID=\"24.04\"\n"
	usrText = "ID=ubuntu\nVERSION_ID=\"24.04\"\nEXTRA=1\n"
	release = "6.8.0-101-generic"
)

func hexSum(parts ...string) string {
	d := blake3.Sum256([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(d[:])
}

// host makes a system of two files; a nil text means no file.
func host(t *testing.T, etc, usr *string) Source {
	t.Helper()
	dir := t.TempDir()
	src := Source{
		EtcPath: filepath.Join(dir, "etc", "os-release"),
		UsrPath: filepath.Join(dir, "usr", "lib", "os-release"),
		Uname:   func() (string, error) { return release, nil },
	}
	for path, text := range map[string]*string{src.EtcPath: etc, src.UsrPath: usr} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if text != nil {
			if err := os.WriteFile(path, []byte(*text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return src
}

func ptr(s string) *string { return &s }

func TestCapture(t *testing.T) {
	for _, tt := range []struct {
		name     string
		etc, usr *string
		want     Fingerprint
	}{
		{"both", ptr(etcText), ptr(usrText), Fingerprint{
			CompositeHash: hexSum(etcText, usrText, release),
			Inputs:        machine.Inputs{EtcOSRelease: hexSum(etcText), UsrLibOSRelease: hexSum(usrText), UnameRelease: release},
			UnameRelease:  release, OSRelease: etcText}},
		{"usr absent", ptr(etcText), nil, Fingerprint{
			CompositeHash: hexSum(etcText, release),
			Inputs:        machine.Inputs{EtcOSRelease: hexSum(etcText), UnameRelease: release},
			UnameRelease:  release, OSRelease: etcText}},
		{"usr empty is not absent", ptr(etcText), ptr(""), Fingerprint{
			CompositeHash: hexSum(etcText, release),
			Inputs:        machine.Inputs{EtcOSRelease: hexSum(etcText), UsrLibOSRelease: hexSum(""), UnameRelease: release},
			UnameRelease:  release, OSRelease: etcText}},
		{"not utf-8", ptr("ID=\xff\xfe\n"), nil, Fingerprint{
			CompositeHash: hexSum("ID=\xff\xfe\n", release),
			Inputs:        machine.Inputs{EtcOSRelease: hexSum("ID=\xff\xfe\n"), UnameRelease: release},
			UnameRelease:  release, OSRelease: "ID=\ufffd\ufffd\n"}},
		{"long", ptr(strings.Repeat("x", 20_000)), nil, Fingerprint{
			CompositeHash: hexSum(strings.Repeat("x", 20_000), release),
			Inputs:        machine.Inputs{EtcOSRelease: hexSum(strings.Repeat("x", 20_000)), UnameRelease: release},
			UnameRelease:  release, OSRelease: strings.Repeat("x", 16<<10), Truncated: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Capture(host(t, tt.etc, tt.usr))
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestCaptureThroughTheUsualLink(t *testing.T) {
	src := host(t, nil, ptr(usrText))
	if err := os.Symlink("../usr/lib/os-release", src.EtcPath); err != nil {
		t.Fatal(err)
	}
	got, err := Capture(src)
	if err != nil {
		t.Fatal(err)
	}
	if want := hexSum(usrText, usrText, release); got.CompositeHash != want || got.OSRelease != usrText {
		t.Errorf("got %+v, want %s", got, want)
	}
}

// TestB3sum: the digest is what anybody gets with cat and b3sum.
func TestB3sum(t *testing.T) {
	b3sum, err := exec.LookPath("b3sum")
	if err != nil {
		t.Skip("b3sum is not installed")
	}
	src := host(t, ptr(etcText), ptr(usrText))
	got, err := Capture(src)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(b3sum, "--no-names")
	cmd.Stdin = strings.NewReader(etcText + usrText + release)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(out)); got.CompositeHash != want {
		t.Errorf("got %s, b3sum says %s", got.CompositeHash, want)
	}
}

func TestCaptureFails(t *testing.T) {
	errUname := errors.New("denied")
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, src *Source)
		input string
		kind  error
	}{
		{"etc missing", func(t *testing.T, s *Source) { remove(t, s.EtcPath) }, "os-release", fs.ErrNotExist},
		{"etc dangling", func(t *testing.T, s *Source) {
			remove(t, s.EtcPath)
			if err := os.Symlink("nowhere", s.EtcPath); err != nil {
				t.Fatal(err)
			}
		}, "os-release", fs.ErrNotExist},
		{"etc fifo", func(t *testing.T, s *Source) {
			remove(t, s.EtcPath)
			if err := syscall.Mkfifo(s.EtcPath, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "os-release", durable.ErrNotRegular},
		{"etc directory", func(t *testing.T, s *Source) { s.EtcPath = filepath.Dir(s.EtcPath) }, "os-release", durable.ErrNotRegular},
		{"etc too large", func(t *testing.T, s *Source) {
			if err := os.Truncate(s.EtcPath, MaxInputBytes+1); err != nil {
				t.Fatal(err)
			}
		}, "os-release", durable.ErrTooLarge},
		{"usr device", func(t *testing.T, s *Source) { s.UsrPath = "/dev/zero" }, "os-release", durable.ErrNotRegular},
		{"usr too large", func(t *testing.T, s *Source) {
			if err := os.Truncate(s.UsrPath, 10<<30); err != nil {
				t.Fatal(err)
			}
		}, "os-release", durable.ErrTooLarge},
		{"uname fails", func(t *testing.T, s *Source) { s.Uname = func() (string, error) { return "", errUname } }, "uname", errUname},
		{"uname empty", func(t *testing.T, s *Source) { s.Uname = func() (string, error) { return "", nil } }, "uname", ErrUname},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := host(t, ptr(etcText), ptr(usrText))
			tt.spoil(t, &src)
			got, err := Capture(src)
			var e *errs.Error
			if !errors.As(err, &e) || !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), tt.input) || !errors.Is(err, tt.kind) || got != (Fingerprint{}) {
				t.Fatalf("got %+v, %v", got, err)
			}
			if e.Next == "" || !strings.Contains(err.Error(), e.Next) || !strings.Contains(err.Error(), e.Path) {
				t.Errorf("no next step or path in %v", err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestHost(t *testing.T) {
	out, err := exec.Command("uname", "-r").Output()
	if err != nil {
		t.Skip("uname(1) is not installed")
	}
	got, err := Host().Uname()
	if err != nil || got != strings.TrimSpace(string(out)) {
		t.Errorf("got %q, %v, uname -r says %q", got, err, out)
	}
	if h := Host(); h.EtcPath != "/etc/os-release" || h.UsrPath != "/usr/lib/os-release" {
		t.Errorf("got %+v", h)
	}
}
