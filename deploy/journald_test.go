package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// journaldScript starts a systemd-journald of its own in a mount namespace and
// has it read the standard error of three boots: a first run, one that completes
// an epoch, and one that fails. It prints what the commands on standard input do.
const journaldScript = `set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
if [ -d /sys/fs/cgroup ] && cg=$(mktemp -d) && mount -t cgroup2 cgroup2 "$cg" 2>/dev/null && mkdir -p "$cg/edged-precheck.service" 2>/dev/null; then
	trap 'echo $$ >"$cg/cgroup.procs"; rmdir "$cg/edged-precheck.service"' EXIT
	unit="$cg/edged-precheck.service/cgroup.procs"
else
	unit=/dev/null
fi
/lib/systemd/systemd-journald >/run/journald.log 2>&1 &
for i in $(seq 200); do [ -S /run/systemd/journal/socket ] && break; sleep 0.05; done
[ -S /run/systemd/journal/socket ] || { cat /run/journald.log; exit 77; }
gate() {
	systemd-cat -t cat sh -c 'echo $$ >"$1" || true; export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec "$EDGED_BIN/edged" precheck' sh "$unit" || true
}
gate
"$EDGED_BIN/edgectl" drill --reason test >/dev/null
gate
rm -r "$EDGE_STATE_ROOT/journal"
gate
journalctl --sync
while read -r command; do
	[ "$unit" != /dev/null ] || command=${command/ -u edged-precheck.service/ -t edged}
	echo "== $command"
	$command --no-pager
done
kill %1
`

// TestJournaldE2E types the commands of docs/journald.md: journalctl finds the
// gate's lines by their fields.
func TestJournaldE2E(t *testing.T) {
	bin := os.Getenv("EDGED_BIN")
	switch {
	case bin == "":
		t.Skip("EDGED_BIN is not set: make deploy sets it")
	case os.Geteuid() != 0:
		t.Skip("not root: a mount namespace is needed")
	}
	for _, tool := range []string{"unshare", "systemd-cat", "journalctl", "/lib/systemd/systemd-journald"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	state := filepath.Join(t.TempDir(), "state")
	env := append(os.Environ(), "EDGED_BIN="+bin, "EDGE_STATE_ROOT="+state, "EDGE_CONFIG="+filepath.Join(state, "bootstrap/config.yaml"),
		"EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")
	run := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(filepath.Join(bin, "edgectl"), "init", state, "--demo", "--node", "n"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	page, err := os.ReadFile("../docs/journald.md")
	if err != nil {
		t.Fatal(err)
	}
	_, commands, _ := strings.Cut(string(page), "```sh\n")
	commands, _, _ = strings.Cut(commands, "```")
	cmd := exec.Command("unshare", "--mount", "bash", "-c", journaldScript)
	cmd.Env, cmd.Stdin = env, strings.NewReader(commands)
	out, err := cmd.CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 77 {
		t.Skipf("no systemd-journald starts here:\n%s", out)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	messages := []string{"edge.os.fingerprint_initialized", "edge.os.update_detected", "edge.os.reconstruction_started",
		"edge.os.reconstruction_completed", "precheck: journal missing"}
	typed := 0
	for part := range strings.SplitSeq(strings.TrimPrefix(string(out), "== "), "== ") {
		command, lines, _ := strings.Cut(part, "\n")
		want := messages
		switch {
		case strings.Contains(command, "-p err"):
			want = messages[4:]
		case strings.Contains(command, "EDGE_BOOT_EPOCH=1"), strings.Contains(command, "completed"):
			want = messages[3:4]
		}
		var found []string
		for _, m := range messages {
			if strings.Contains(lines, m) {
				found = append(found, m)
			}
		}
		if !slices.Equal(found, want) {
			t.Errorf("$ %s\n%s\nit shows %q, want %q", command, lines, found, want)
		}
		typed++
	}
	if typed < 5 {
		t.Errorf("%d commands typed: %s", typed, out)
	}
}
