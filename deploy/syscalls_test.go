package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// filter computes which system calls a unit's SystemCallFilter= lines allow,
// from systemd's own lists. As systemd has it: the first line says whether the
// list allows or denies, later ones add to it ("~": take away from it).
func filter(t *testing.T, lines []string, group func(string) []string) map[string]bool {
	t.Helper()
	allowed := map[string]bool{}
	for _, line := range lines {
		rest, deny := strings.CutPrefix(line, "~")
		for _, item := range strings.Fields(rest) {
			for _, call := range group(item) {
				allowed[call] = !deny
			}
		}
	}
	return allowed
}

// group expands @name to its system calls, groups within groups too.
func group(t *testing.T) func(string) []string {
	var expand func(string) []string
	expand = func(item string) []string {
		if !strings.HasPrefix(item, "@") {
			return []string{item}
		}
		out, err := analyze(t, "syscall-filter", "--no-pager", item)
		if err != nil {
			t.Fatalf("%s: %v\n%s", item, err, out)
		}
		var calls []string
		for line := range strings.Lines(out) {
			name := strings.TrimSpace(line)
			if name == "" || name == item || strings.HasPrefix(name, "#") {
				continue
			}
			calls = append(calls, expand(name)...)
		}
		return calls
	}
	return expand
}

func TestFilter(t *testing.T) {
	groups := map[string][]string{"@all": {"read", "chown", "mount"}, "@chown": {"chown"}, "@bad": {"chown", "mount"}}
	got := filter(t, []string{"@all", "~@bad", "@chown"}, func(s string) []string { return groups[s] })
	if !got["read"] || !got["chown"] || got["mount"] {
		t.Errorf("got %v", got)
	}
}

// TestRareCallsAreAllowed holds against the filters what a trace of an ordinary
// boot may not show: calls for a new journal, a large copy or a suspect record.
func TestRareCallsAreAllowed(t *testing.T) {
	expand := group(t)
	for _, unit := range []string{"edged-precheck.service", "edged-scrub.service", "edged-checkpoint.service"} {
		allowed := filter(t, readUnit(t, unit)["Service"]["SystemCallFilter"], expand)
		for _, call := range []string{"fadvise64", "fallocate", "flock", "fstatfs", "ioctl", "sendto", "socket", "sync_file_range"} {
			if !allowed[call] {
				t.Errorf("%s filters %s", unit, call)
			}
		}
	}
}

// TestGateCallsAreAllowed runs the real gate under strace, a first run and a
// match, and holds every system call against the unit's filter: one that is
// filtered would make a boot fail that passed everywhere else.
func TestGateCallsAreAllowed(t *testing.T) {
	bin := os.Getenv("EDGED_BIN")
	if bin == "" {
		t.Skip("EDGED_BIN is not set: make deploy sets it")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	expand := group(t)
	expand("@system-service") // skips where systemd-analyze is missing

	state := filepath.Join(t.TempDir(), "state")
	init := exec.Command(filepath.Join(bin, "edgectl"), "init", state, "--demo")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("edgectl init: %v\n%s", err, out)
	}
	called := map[string]bool{}
	name := regexp.MustCompile(`(?m)^(?:\d+ +)?([a-z][a-z0-9_]*)\(`)
	for boot := range 2 {
		trace := filepath.Join(t.TempDir(), "trace")
		cmd := exec.Command(strace, "-f", "-qq", "-o", trace, filepath.Join(bin, "edged"), "precheck",
			"--config", filepath.Join(state, "bootstrap", "config.yaml"), "--ready-file", filepath.Join(t.TempDir(), "passed"))
		cmd.Env = append(os.Environ(), "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			if strings.Contains(said.String(), "ptrace") {
				t.Skipf("strace may not trace here: %s", said.Bytes())
			}
			t.Fatalf("boot %d: %v\n%s", boot, err, said.Bytes())
		}
		data, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllSubmatch(data, -1) {
			called[string(m[1])] = true
		}
	}
	// What a boot cannot do without: the trace was read rightly.
	for _, call := range []string{"openat2", "flock", "fdatasync", "uname"} {
		if !called[call] {
			t.Errorf("%s is not in the trace of %d calls: it is not read rightly", call, len(called))
		}
	}
	allowed := filter(t, readUnit(t, "edged-precheck.service")["Service"]["SystemCallFilter"], expand)
	for call := range called {
		if !allowed[call] {
			t.Errorf("the gate calls %s, which edged-precheck.service filters", call)
		}
	}
	t.Logf("%d different system calls held against the filter", len(called))
}
