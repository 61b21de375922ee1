package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// released builds the binaries of the commit that the changelog names for 0.1.0,
// from the repository's own history, and returns the folder that holds them.
func released(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("0\\.1\\.0[^`]* commit `([0-9a-f]{40})`").FindSubmatch(text)
	if m == nil {
		t.Fatal("CHANGELOG.md does not name the commit of 0.1.0")
	}
	commit := string(m[1])
	if err := exec.Command("git", "cat-file", "-e", commit).Run(); err != nil {
		t.Skipf("this checkout does not have the commit %s of 0.1.0: fetch the whole history", commit)
	}
	dir := t.TempDir()
	build := `git archive ` + commit + ` | tar -x -C "$0" && cd "$0" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o bin/ ./cmd/edged ./cmd/edgectl`
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", build, dir)
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", commit, err, out)
	}
	return filepath.Join(dir, "bin")
}

// TestE2E_OldAndNew boots two slots against one journal in turn: the first
// release, and these binaries. Each reads what the other wrote, through a
// replacement, a settling and an operator's action, and both print the same of it.
func TestE2E_OldAndNew(t *testing.T) {
	h := newHost(t, "git", "go", "tar", "setarch")
	old := released(t)
	slots := []string{"", "PATH=" + old + ":$PATH "}
	boot := func(slot, i int) {
		t.Helper()
		kernel := ""
		if i >= 20 && i < 40 { // a replacement, and back
			kernel = "setarch --uname-2.6 "
		}
		if _, errs, exit := h.Run(slots[slot] + kernel + "edged precheck"); exit != 0 {
			t.Fatalf("boot %d in slot %d: exit %d\n%s", i, slot, exit, errs)
		}
	}
	same := func(i int, command string) {
		t.Helper()
		out, errs, exit := h.Run(slots[0] + command)
		oldOut, oldErrs, oldExit := h.Run(slots[1] + command)
		if exit != 0 || oldExit != 0 || out != oldOut {
			t.Fatalf("after boot %d: %s: exit %d and %d\n%s%s\n0.1.0:\n%s%s", i, command, exit, oldExit, out, errs, oldOut, oldErrs)
		}
	}
	for i := range 90 { // the tail settles after each 32 records
		boot(i/3%2, i)
		if i == 10 || i == 50 {
			h.Sh(slots[i/50] + "edgectl drill --reason slots")
		}
		if i%15 == 0 {
			same(i, "edgectl journal verify --deep")
			same(i, "edgectl journal export --format jsonl --out -")
			same(i, "edgectl replay --at seq:1 --json")
			same(i, "edgectl projections check --json")
		}
	}
	if got := h.Sh("jq .boot_epoch $STATE/bootstrap/os_fingerprint.json"); got != "4" {
		t.Errorf("epoch %s", got)
	}
}
