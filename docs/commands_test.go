package docs_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// elsewhere are the commands of sh blocks, each with the test that runs it.
var elsewhere = map[string]struct{ file, test string }{
	"edgectl journal log --json --type ManifestVerified --lines 1 | jq -r .data.key | base64 -d >key.raw":                                    {"docs/flags_test.go", "TestOpensslScript"},
	"{ printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; cat key.raw; } | openssl pkey -pubin -inform DER -out key.pem": {"docs/flags_test.go", "TestOpensslScript"},
	"openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in then/epochs/1/manifest.json -sigfile then/epochs/1/manifest.json.sig":          {"docs/flags_test.go", "TestOpensslScript"},
	"journalctl -b -u edged-precheck.service":                                                      {"deploy/journald_test.go", "TestJournaldE2E"},
	"journalctl -t edged -p err":                                                                   {"deploy/journald_test.go", "TestJournaldE2E"},
	"journalctl -t edged EDGE_BOOT_EPOCH=1":                                                        {"deploy/journald_test.go", "TestJournaldE2E"},
	"journalctl -t edged EDGE_EVENT=edge.os.reconstruction_completed":                              {"deploy/journald_test.go", "TestJournaldE2E"},
	"journalctl -t edged -p err -o json --output-fields=MESSAGE_ID,EDGE_EVENT,EDGE_PATH,EDGE_NEXT": {"deploy/journald_test.go", "TestJournaldE2E"},
	"dpkg --install edged_*.deb":                                                                   {"deploy/package_test.go", "TestPackageLife"},
	"make install DESTDIR=IMAGE":                                                                   {"deploy/package_test.go", "TestPackageInstall"},
	"systemctl --root=IMAGE preset edged-precheck.service edged.service edged-scrub.timer":         {"deploy/package_test.go", "TestPackageInstall"},
	"make demo":       {"internal/demo/demo_test.go", "TestRunScript"},
	"make demo-fleet": {"internal/demo/fleet_test.go", "TestFleetScript"},
	"edgectl journal export --format jsonl --out history.jsonl":                         {"docs/formats_test.go", "TestFormatsScript"},
	"head -n 1 history.jsonl | tr -d '\\n' | b3sum":                                     {"docs/formats_test.go", "TestFormatsScript"},
	"sed -n 2p history.jsonl | jq -r .prev":                                             {"docs/formats_test.go", "TestFormatsScript"},
	"{ cat /etc/os-release; cat /usr/lib/os-release; uname -r | tr -d '\\n'; } | b3sum": {"docs/formats_test.go", "TestFormatsScript"},
}

// notHere are the commands of sh blocks that no test can run, each with the reason.
var notHere = map[string]string{
	"make test": "it is what runs this test",
	".ci/run":   "it is what runs this test",
	"go test ./... -run TestOSUpdateSimulation":           "it is a part of what runs this test",
	"mkfs.ext4 -L persist /dev/disk/by-partlabel/persist": "needs a partition of its own; make e2e makes one in a file, and boots on it",
	"mount /persist":                           "needs a partition of its own; make e2e makes one in a file, and boots on it",
	"make build":                               "every test that needs the binaries builds them itself, by the go command that the target calls",
	"export PATH=$PWD/bin:$PATH":               "a test has its binaries elsewhere, and puts that in the path",
	"systemctl status edged-precheck.service":  "needs a node that was booted by systemd with the units installed",
	"systemctl restart edged-precheck.service": "needs a node that was booted by systemd with the units installed",
	"systemctl start edged.service":            "needs a node that was booted by systemd with the units installed",
}

// TestBlocks: every fenced command is typed by a test, or is listed with the
// reason why none does.
func TestBlocks(t *testing.T) {
	seen := map[string]bool{}
	for _, doc := range documents(t) {
		for _, b := range readBlocks(t, doc) {
			switch b.kind() {
			case "console":
				if doc != tutorial {
					t.Errorf("%s:%d: only the tutorial's console blocks are typed by a test: use sh", doc, b.line)
				}
			case "sh":
				if b.has("recipe") {
					if doc != operations && doc != commissioning && doc != hubGuide {
						t.Errorf("%s:%d: only the recipes of %s, %s and %s are followed by a test", doc, b.line, operations, commissioning, hubGuide)
					}
					continue
				}
				for _, l := range b.lines {
					command, _, _ := strings.Cut(l, "    #")
					if command = strings.TrimSpace(command); command == "" {
						continue
					}
					seen[command] = true
					if elsewhere[command].test == "" && notHere[command] == "" {
						t.Errorf("%s:%d: %q is neither typed by a test nor listed with a reason", doc, b.line, command)
					}
				}
			case "", "json", "go", "yaml", "sql", "mermaid":
			default:
				t.Errorf("%s:%d: nobody knows what to do with a block of %q", doc, b.line, b.kind())
			}
		}
	}
	for _, command := range slices.Concat(slices.Collect(maps.Keys(elsewhere)), slices.Collect(maps.Keys(notHere))) {
		if !seen[command] {
			t.Errorf("%q is listed and is in no document: remove it", command)
		}
	}
	for command, by := range elsewhere {
		if declared, err := declarations(by.file); err != nil || !declared[by.test] {
			t.Errorf("%q is said to be run by %s in %s: %v", command, by.test, by.file, err)
		}
	}
}

// TestMakeTargets: a target that a document names is there.
func TestMakeTargets(t *testing.T) {
	makefile := "\n" + read(t, "Makefile")
	for _, doc := range documents(t) {
		for _, m := range regexp.MustCompile("(?m)(?:^|`)make ([a-z0-9-]+)").FindAllStringSubmatch(read(t, doc), -1) {
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s names make %s, which the Makefile does not have", doc, m[1])
			}
		}
	}
}

// TestInlineCommands: commands in running text, and in the next steps of the
// gate's messages, exist with their flags.
func TestInlineCommands(t *testing.T) {
	bin := binaries(t)
	check := func(where, text string) {
		for _, span := range codeSpans(text) {
			if words := strings.Fields(span); len(words) > 1 && (words[0] == "edged" || words[0] == "edgectl" || words[0] == "edgehub") {
				checkCommand(t, bin, where, words)
			}
		}
	}
	for _, doc := range documents(t) {
		check(doc, prose(read(t, doc)))
	}
	for _, dir := range speaking {
		for name := range sources(t, dir) {
			check(name, strings.ReplaceAll(read(t, name), "\\n", "\n"))
		}
	}
}

// checkCommand looks a command and its flags up in its --help.
func checkCommand(t *testing.T, bin, where string, words []string) {
	t.Helper()
	var path, flags []string
	for _, w := range words {
		name, _, _ := strings.Cut(w, "=")
		switch {
		case strings.HasPrefix(w, "--"):
			flags = append(flags, name)
		case len(flags) == 0 && regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(w):
			path = append(path, w)
		}
	}
	command := strings.Join(path, " ")
	help, err := exec.Command(filepath.Join(bin, path[0]), append(path[1:], "--help")...).CombinedOutput()
	exists := err == nil && regexp.MustCompile(`Usage:\n  `+regexp.QuoteMeta(command)+`\b(?: \[|\n| [A-Z(-])`).Match(help)
	if !exists {
		t.Errorf("%s: there is no command %q", where, command)
		return
	}
	for _, f := range flags {
		if !regexp.MustCompile(`(?m)^ +(?:-\w, )?` + f + `\b`).Match(help) {
			t.Errorf("%s: %q has no flag %s", where, command, f)
		}
	}
}

// TestFlags: the guide has every flag of the gate, and no other.
func TestFlags(t *testing.T) {
	help, err := exec.Command(filepath.Join(binaries(t), "edged"), "precheck", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(string(help), -1) {
		has[m[1]] = true
	}
	delete(has, "--help")
	documented := map[string]bool{}
	for _, r := range rows(section(t, operations, "Flags of the gate")) {
		if flag := strings.Trim(r[0], "`"); strings.HasPrefix(flag, "--") {
			documented[flag] = true
		}
	}
	if len(has) == 0 || !maps.Equal(has, documented) {
		t.Errorf("%s has %v, the gate has %v", operations, slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(has)))
	}
}
