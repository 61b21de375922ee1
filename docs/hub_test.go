package docs_test

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/hub"
)

const hubGuide = "docs/hub.md"

// aHub is the word for systemd on a host that is both hub and node: it runs what
// the units run. COMMAND is that of edgehub.service.
const aHub = `#!/bin/sh
set -eu
hub=${0%/*}/hub
case "$*" in
"restart edged-precheck.service") exec edged precheck ;;
"start edged-ship.service") edgectl ship --ship-config /etc/edged/ship.yaml --state-root /persist/edge || [ $? = 2 ] ;;
"enable --now edgehub.service" | "start edgehub.service")
	EDGEHUB_STORE=/var/lib/edgehub COMMAND >$hub.log 2>&1 </dev/null &
	echo $! >$hub.pid
	for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		! grep -q 'the hub serves' $hub.log || exit 0
		sleep 0.5
	done
	cat $hub.log
	exit 1
	;;
"stop edgehub.service")
	kill "$(cat $hub.pid)"
	while kill -0 "$(cat $hub.pid)" 2>/dev/null; do sleep 0.1; done
	rm $hub.pid
	;;
*) echo "systemctl $*: what is that?" && exit 1 ;;
esac
`

// TestHubScript follows the page from its first step to its last, with the certificates
// and the config that it shows.
func TestHubScript(t *testing.T) {
	for _, tool := range []string{"openssl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("not followed: %s is not installed", tool)
		}
	}
	bin, dir := binaries(t), t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	port := freePort(t)
	// The paths of hub and node as far as the page writes to them, and its host.
	here := strings.NewReplacer("/persist", in("persist"), "/etc/edged", in("etc/edged"), "/etc/edgehub", in("etc/edgehub"), "/var/lib/edgehub", in("store"),
		"hub.example.org", "localhost", ":8430", ":"+port, "/usr/bin/edgehub", "edgehub")
	for _, name := range []string{"bin", "persist/checkpoints", "persist/tls", "etc/edged", "etc/edgehub"} {
		if err := os.MkdirAll(in(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	command := ""
	for line := range strings.Lines(read(t, "deploy/hub/edgehub.service")) {
		if start, ok := strings.CutPrefix(line, "ExecStart="); ok {
			command = strings.NewReplacer("%d", "/etc/edgehub", "${EDGEHUB_LISTEN}", "127.0.0.1:8430", "$EDGEHUB_ARGS", "").Replace(strings.TrimSpace(start))
		}
	}
	systemctl := here.Replace(strings.Replace(aHub, "COMMAND", command, 1))
	if err := os.WriteFile(in("bin/systemctl"), []byte(systemctl), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endHub(in("bin/hub.pid")) })

	var s typed
	for _, before := range []string{
		"export PATH=" + in("bin") + ":$PATH EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1 EDGE_CONFIG=/persist/edge/bootstrap/config.yaml",
		"edgectl init /persist/edge --demo --node depot-07",
		"edged precheck",
	} {
		s.command(hubGuide, 0, here.Replace(before))
	}
	followed := 0
	for _, b := range readBlocks(t, hubGuide) {
		switch {
		case b.kind() == "yaml" && slices.Contains(b.lines, "checkpoints: /persist/checkpoints"):
			name := s.file(here.Replace(strings.Join(b.lines, "\n") + "\n"))
			s.command(hubGuide, b.line, here.Replace(`sed "s|^  key: .*|  key: $(cat /etc/edgehub/hub.pub)|" `+name+` >/etc/edged/ship.yaml`))
		case b.kind() == "sh" && b.has("recipe"):
			for i, l := range b.lines {
				followed++
				typed := exiting(here.Replace(l))
				// Every node is flagged here: the check for a persistent partition is skipped.
				if strings.HasPrefix(l, "edgehub status") && typed == here.Replace(l) {
					typed += " || [ $? = 1 ]"
				}
				s.command(hubGuide, b.line+i, typed)
				switch {
				case strings.HasSuffix(l, "# exit 1"):
					s.lines += "stdout '^STOPPED: the store was put back'\n"
				case strings.HasPrefix(l, "edgehub verify"):
					s.lines += "stdout 'all as the hub and the nodes signed them'\n"
				case strings.HasPrefix(l, "edgectl journal log"):
					s.lines += "stdout 'FingerprintCaptured'\n"
				case strings.HasPrefix(l, "edgehub export"):
					s.lines += "stdout 'of 1 journal in 1 file'\n"
				}
			}
		}
	}
	if followed < 25 {
		t.Errorf("%s has %d commands: what has become of the others?", hubGuide, followed)
	}
	s.command(hubGuide, 0, "systemctl start edged-ship.service")
	s.lines += "stdout 'cosigned'\n"
	s.command(hubGuide, 0, "systemctl stop edgehub.service")
	scripts := t.TempDir()
	s.write(t, scripts, "hub")
	runTyped(t, scripts, bin, nil)
}

// freePort returns a port on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was sent
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// endHub ends a hub that a failed script has left.
func endHub(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}

// TestHubStates: the guide has every state of a node.
func TestHubStates(t *testing.T) {
	var told []string
	table, _, _ := strings.Cut(section(t, hubGuide, "States"), "\n### ")
	for _, r := range rows(table) {
		if name, ok := strings.CutPrefix(r[0], "*"); ok {
			told = append(told, strings.ReplaceAll(strings.TrimSuffix(name, "*"), " ", "_"))
		}
	}
	var all []string
	for _, s := range hub.States() {
		all = append(all, string(s))
	}
	if !slices.Equal(told, all) {
		t.Errorf("%s has the states %q, the code %q", hubGuide, told, all)
	}
}

// TestHubMembersScript: what edgehub prints has the members that the page describes, and
// no other. The store is that of make demo-fleet.
func TestHubMembersScript(t *testing.T) {
	bin, dir := binaries(t), t.TempDir()
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	s := shell{dir, append(cleanEnv(bin), "EDGED_BIN="+bin)}
	must(t, s, "sh "+top+"/internal/demo/fleet.sh fleet")
	documented := section(t, formats, "Hub")
	for _, state := range hub.States() { // TestHubStates has them
		documented += "`" + string(state) + "`"
	}
	for _, command := range []string{
		"edgehub status --store fleet/store --json || [ $? = 1 ]",
		"edgehub verify --store fleet/store --json",
		"edgehub export --store fleet/store --out files --json",
		"cat fleet/store/heads/* | head -n 1",
		"cat $(ls fleet/store/conflicts/*/1 | head -n 1)",
	} {
		var found any
		if out := must(t, s, command); json.Unmarshal([]byte(out), &found) != nil {
			t.Fatalf("$ %s\n%s", command, out)
		}
		everyMember(t, command, documented, found)
	}
}

// TestHubMetrics: the guide has every metric of a hub, and no other; the formats page has
// every status that they count.
func TestHubMetrics(t *testing.T) {
	source := read(t, "internal/hub/metrics.go")
	written := map[string]bool{}
	for _, m := range regexp.MustCompile(`"(edgehub_\w+)"`).FindAllStringSubmatch(source, -1) {
		written[m[1]] = true
	}
	told := map[string]bool{}
	for _, r := range rows(section(t, hubGuide, "Metrics and alerts")) {
		if name := strings.Trim(r[0], "`"); strings.HasPrefix(name, "edgehub_") {
			told[name] = true
		}
	}
	if len(written) < 5 || !maps.Equal(written, told) {
		t.Errorf("%s has the metrics %q, the code %q", hubGuide, slices.Sorted(maps.Keys(told)), slices.Sorted(maps.Keys(written)))
	}
	_, list, _ := strings.Cut(source, "range []int{")
	list, _, _ = strings.Cut(list, "}")
	answers := ""
	for _, r := range rows(section(t, formats, "Hub")) {
		answers += r[0] + ", "
	}
	for status := range strings.SplitSeq(list, ", ") {
		if len(status) != 3 || !strings.Contains(answers, status) {
			t.Errorf("%s does not say what status %q means", formats, status)
		}
	}
}
