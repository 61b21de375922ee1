package docs_test

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/doctor"
)

// faults break a node that is ready for its next boot and its next
// reconstruction. By the message that the gate has for it, each is a script that
// runs in the folder of the node's config; the state root is node/ in it.
var faults = map[string]string{
	"no config given":               "mv config.yaml elsewhere.yaml && EDGE_CONFIG= && EDGE_STATE_ROOT=$PWD/node",
	"config rejected":               "sed -i 's/mode: baseline/mode: relaxed/; s/max_retry_count: .*/max_retry_count: many/' config.yaml",
	"state root rejected":           "chmod 777 node",
	"state root cannot be laid out": "rm -r node && cp -a unbooted node && rmdir node/epoch && echo x >node/epoch",
	"journal unusable":              "tail -c +8192 node/journal/tail >x && mv x node/journal/tail",
	"journal missing":               "rm -r node/journal",
	"journal is not this node's":    "sed -i 's/journal_id: \"\"/journal_id: \"01234567-89ab-4cde-8f01-23456789abcd\"/' config.yaml",
	"journal is of another node":    "sed -i 's/edge_domain_id: .*/edge_domain_id: depot-7/' config.yaml",
	"journal cannot be written":     "chattr +i node/journal/tail",
	"projections cannot be written": "mkdir -p node/bootstrap/os_fingerprint.json.tmp/notes",
	"certificate check failed":      "cp other/tls/node.key node/tls/node.key",

	"manifest verify key missing on reconstruction path":    "rm node/identity/manifest-verify.pub",
	"manifest verify key has wrong size":                    "echo short >node/identity/manifest-verify.pub",
	"manifest verify key is not safe to use":                "rm -r node && cp -a unbooted node && { printf '\\001'; head -c 31 /dev/zero; } >node/identity/manifest-verify.pub",
	"manifest verify key is world-writable":                 "chmod o+w node/identity/manifest-verify.pub",
	"manifest verify key unreadable on reconstruction path": "rm node/identity/manifest-verify.pub && mkfifo node/identity/manifest-verify.pub",
	"manifest verify key is not the pinned one":             "pin && cp next/manifest-verify.pub node/identity/manifest-verify.pub",
	"manifest verify key refused": "cp next/manifest-verify.pub node/identity/manifest-verify.pub && " +
		"edgectl manifest sign --key next/manifest-verify.key",
	"manifest missing on reconstruction path":              "rm node/runtime/manifest.json",
	"manifest too large":                                   "head -c 40000 /dev/zero >node/runtime/manifest.json",
	"manifest unreadable on reconstruction path":           "rm node/runtime/manifest.json && mkfifo node/runtime/manifest.json",
	"manifest signature missing on reconstruction path":    "rm node/runtime/manifest.json.sig",
	"manifest signature has wrong size":                    "echo short >node/runtime/manifest.json.sig",
	"manifest signature unreadable on reconstruction path": "rm node/runtime/manifest.json.sig && mkfifo node/runtime/manifest.json.sig",
	"manifest signature verification failed":               "echo >>node/runtime/manifest.json",
	"manifest malformed":                                   "cp bad.json node/runtime/manifest.json && cp bad.json.sig node/runtime/manifest.json.sig",
	"manifest does not satisfy assurance mode strict":      "sed -i 's/mode: baseline/mode: strict/' config.yaml && deploy '{\"version\":\"1\",\"operations\":[],\"allow_rollback_from\":5}'",
	"manifest serial rolled back":                          "deploy '{\"version\":\"1\",\"operations\":[],\"serial\":4}'",
	"manifest expired":                                     "deploy '{\"version\":\"1\",\"operations\":[],\"serial\":9,\"not_after\":\"2020-01-01T00:00:00Z\"}'",
	"operation rejected":                                   "rm node/runtime/binaries/app",
	"operation source hash mismatch":                       "echo another >node/runtime/binaries/app",
	"operation failed":                                     "rm -r node/bin && mkdir node/bin && chattr +i node/bin",
}

// untyped are the messages whose command no test types, each with the reason.
var untyped = map[string]string{
	"ready file cannot be removed":      "TestUnit: it needs a unit of systemd",
	"ready file cannot be written":      "TestUnit: it needs a unit of systemd",
	"ready file is the metrics file":    "TestUnit: it needs a unit of systemd",
	"boot id unreadable":                "it needs a system without /proc",
	"live fingerprint cannot be taken":  "it needs a system without os-release",
	"projection is of another history":  "the command is that of journal unusable",
	"fingerprint file cannot be judged": "the command is that of journal unusable",
	"evidence cannot be judged":         "the command is that of journal unusable",
}

// materials are the values for the words in capital letters of a command.
var materials = map[string]string{
	"CONFIG": "good.yaml", "REASON": "test", "KEY": "good.key", "CERTIFICATE": "good.crt", "VERIFY_KEY": "keys/manifest-verify.pub",
	"MANIFEST": "good.json", "SIGNING_KEY": "keys/manifest-verify.key", "SOURCE": "app", "OLD_KEY": "keys/manifest-verify.key", "NEW_KEY": "next/manifest-verify.key",
}

// prepared is a folder with a node at epoch 1, another one that never booted, and
// what an operator has beside them.
const prepared = `edgectl init node --demo --node depot-4 >/dev/null
mv node/demo keys && mkdir node/demo
cp node/identity/manifest-verify.pub keys/
mv node/bootstrap/config.yaml config.yaml && cp config.yaml good.yaml
cp node/tls/node.key good.key && cp node/tls/node.crt good.crt
echo app >app && cp app node/runtime/binaries/app
edgectl manifest new --serial 5 --copy-binary app:bin/app --out node/runtime/manifest.json
edgectl manifest sign --key keys/manifest-verify.key >/dev/null
edgectl manifest new --serial 9 --copy-binary app:bin/app --out good.json
cp -a node unbooted
edged precheck --log-level error && edgectl drill --reason epoch >/dev/null && edged precheck --log-level error
edgectl key generate --out next >/dev/null
edgectl init other --demo --node other >/dev/null
edgectl doctor >/dev/null`

// helpers are what the faults call.
const helpers = `deploy() { printf %s "$1" >node/runtime/manifest.json; edgectl manifest sign --key keys/manifest-verify.key >/dev/null; }
pin() { sed -i "s/manifest_key_blake3: \"\"/manifest_key_blake3: \"$(edgectl key show keys/manifest-verify.pub --json | sed 's/.*"blake3":"\([0-9a-f]*\)".*/\1/')\"/" config.yaml; }
`

// TestDoctorScript: doctor reports every ending of a boot before it, and its
// command repairs it: typed with the material that it asks for, it leaves a node
// that is well and boots.
func TestDoctorScript(t *testing.T) {
	seen, _, _ := strings.Cut(read(t, operations), "<!-- unseen:end -->")
	_, unseen, _ := strings.Cut(seen, "<!-- unseen:begin -->")
	form := regexp.MustCompile(message)
	endings := map[string]bool{}
	for _, r := range rows(section(t, operations, "ERROR messages")) {
		for _, span := range codeSpans(r[0]) {
			name, is := strings.CutPrefix(span, "precheck: ")
			if !is || !form.MatchString(span) {
				continue
			}
			endings[name] = true
			ways := 0
			for _, has := range []bool{faults[name] != "", untyped[name] != "", strings.Contains(unseen, "`"+span+"`")} {
				if has {
					ways++
				}
			}
			if ways != 1 {
				t.Errorf("%q: doctor's command for it is typed here, or a reason is given why not, once and not %d times", name, ways)
			}
		}
	}
	for _, known := range []map[string]string{faults, untyped} {
		for name := range known {
			if !endings[name] {
				t.Errorf("%s has no message %q", operations, name)
			}
		}
	}
	for _, tool := range []string{"sh", "sed", "mkfifo", "install"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("not checked: %s is not installed", tool)
		}
	}
	_, noAttributes := exec.LookPath("chattr")
	bin := binaries(t)
	at := func(dir string) shell {
		return shell{dir, append(cleanEnv(bin), "EDGE_CONFIG="+filepath.Join(dir, "config.yaml"), "EDGE_STATE_ROOT_SKIP_MOUNT_CHECK=1")}
	}
	ready := t.TempDir()
	must(t, at(ready), prepared)
	signBad(t, ready)
	for name, breaks := range faults {
		t.Run(doctor.Code(name), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := at(dir)
			t.Cleanup(func() { _, _ = s.run("chattr -i node/bin node/journal/tail 2>/dev/null") })
			must(t, s, "cp -a "+ready+"/. . && sed -i 's|"+ready+"|"+dir+"|' config.yaml good.yaml")
			if out, err := s.run("chattr +i app && chattr -i app"); strings.Contains(breaks, "chattr") && (noAttributes != nil || err != nil) {
				t.Skip("no attributes here: ", out)
			}
			// The variables that a fault or a command sets stay.
			s.env = append(s.env, changed(t, s, helpers+breaks)...)
			for n := 0; ; n++ {
				rep := examine(t, s)
				i := slices.IndexFunc(rep.Findings, func(f doctor.Finding) bool { return f.Severity == doctor.Error })
				if n == 0 && (i < 0 || rep.Findings[i].Code != doctor.Code(name)) {
					t.Fatalf("doctor finds %+v", rep.Findings)
				}
				if i < 0 {
					break
				}
				f := rep.Findings[i]
				if n == 3 || f.Command == "" || f.Next == "" {
					t.Fatalf("%d commands did not repair it: %+v", n, f)
				}
				s.env = append(s.env, changed(t, s, typedCommand(t, f.Command))...)
			}
			must(t, s, "edged precheck")
			if out := must(t, s, "edged precheck"); out != "" {
				t.Errorf("the repaired node boots with\n%s", out)
			}
		})
	}
}

// signBad signs a manifest that edgectl refuses to sign.
func signBad(t *testing.T, dir string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, "keys/manifest-verify.key"))
	bad := []byte(`{"version":"1","operations":[],"serial":9,"frob":1}`)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bad.json"), bad, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bad.json.sig"), ed25519.Sign(key, bad), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var placeholder = regexp.MustCompile(`\b[A-Z][A-Z_]+\b`)

// typedCommand fills in the materials.
func typedCommand(t *testing.T, command string) string {
	return placeholder.ReplaceAllStringFunc(command, func(word string) string {
		if word == "EDGE_CONFIG" {
			return word
		}
		if materials[word] == "" {
			t.Fatalf("nobody has the %s of %s", word, command)
		}
		return materials[word]
	})
}

// changed runs a script, which must exit 0, and returns EDGE_CONFIG and
// EDGE_STATE_ROOT as it leaves them.
func changed(t *testing.T, s shell, script string) []string {
	t.Helper()
	out := must(t, s, "set -e\n"+script+"\nprintf '\\n%s\\n%s\\n' \"EDGE_CONFIG=$EDGE_CONFIG\" \"EDGE_STATE_ROOT=$EDGE_STATE_ROOT\"")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-2:]
}

func examine(t *testing.T, s shell) (rep doctor.Report) {
	t.Helper()
	out, err := s.run("edgectl doctor --json 2>/dev/null")
	if jsonErr := json.Unmarshal([]byte(out), &rep); jsonErr != nil {
		t.Fatalf("%v, %v: %s", err, jsonErr, out)
	}
	if (err == nil) != rep.OK {
		t.Errorf("exit %v, ok %v", err, rep.OK)
	}
	return rep
}
