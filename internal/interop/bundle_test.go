package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var bundleTools = []string{"sh", "tar", "zstd", "b3sum", "python3", "openssl"}

// history gives the node some boots and two epochs.
func (n *node) history() {
	n.T.Helper()
	n.boot()
	for range 2 {
		n.Sh("edgectl drill --reason exercise")
		n.boot()
		n.boot()
	}
}

// TestBundleScript: the bundle of a real node is checked by its own script with
// none of our software in the path, and by nothing but the tools that it names.
// What it must refuse is the corpus of fixtures/verdicts.
func TestBundleScript(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.history()
	n.Sh("edgectl journal checkpoint >old.checkpoint && edged precheck")
	n.Sh("edgectl audit bundle --out bundle.tar.zst && mkdir plain && tar -C plain --zstd -xf bundle.tar.zst")
	n.Sh("cp state/identity/journal-sign.pub held.pub && cmp plain/audit/verify.py " + verifier(t))
	isolated := n.onlyTools("sh", "dirname", "b3sum", "openssl", "python3")
	for args, says := range map[string]string{
		"":                                      "which came with the bundle",
		"--key held.pub":                        "verdict: intact",
		"--key held.pub --since old.checkpoint": "verdict: extended",
		"--since plain/audit":                   "verdict: intact",
	} {
		if out := n.Sh(isolated + " plain/audit/check.sh " + args); !strings.Contains(out, says) {
			t.Errorf("%s: the script does not say %q:\n%s", args, says, out)
		}
	}
	n.Sh(`sed -i '3s/"uptime_ms":/&1/' plain/audit/records.jsonl`)
	if out, errs, exit := n.Run(isolated + " plain/audit/check.sh --key held.pub"); exit != 1 || !strings.Contains(out, "verdict: rewritten") {
		t.Errorf("a record edited: exit %d\n%s%s", exit, out, errs)
	}
	n.Sh("rm tools/openssl")
	if out, errs, exit := n.Run(isolated + " plain/audit/check.sh"); exit != 2 || strings.Contains(out, "verdict") || !strings.Contains(errs, "openssl") {
		t.Errorf("without openssl: exit %d\n%s%s", exit, out, errs)
	}
}

// verifier is the path of docs/verify.py.
func verifier(t *testing.T) string {
	t.Helper()
	at, err := filepath.Abs("../../docs/verify.py")
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestVerifierReadsExports: the verifier reads what edgectl exports.
func TestVerifierReadsExports(t *testing.T) {
	n := newNode(t, "python3", "b3sum", "openssl")
	n.history()
	n.Sh("edgectl journal checkpoint >old.checkpoint && edgectl journal export --out all.jsonl && edgectl journal export --from-seq 5 --out later.jsonl && cp state/identity/journal-sign.pub held.pub")
	n.Env = append(n.Env, "VERIFY=python3 "+verifier(t))
	for command, says := range map[string]string{
		"$VERIFY all.jsonl": "verdict: intact",
		"$VERIFY all.jsonl --since old.checkpoint --key held.pub": "verdict: intact",
		"$VERIFY later.jsonl || test $? = 1":                      "verdict: truncated",
	} {
		if out := n.Sh(command); !strings.Contains(out, says) {
			t.Errorf("%s: want %q:\n%s", command, says, out)
		}
	}
}

// onlyTools is the beginning of a command that finds nothing but these tools.
func (n *node) onlyTools(tools ...string) string {
	n.T.Helper()
	dir := filepath.Join(n.Dir, "tools")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.T.Fatal(err)
	}
	for _, tool := range tools {
		n.Sh(`ln -sf "$(command -v ` + tool + `)" tools/` + tool)
	}
	n.Sh(`ln -sf "$(python3 -c 'import sys; print(sys.executable)')" tools/python3`) // and not what stands in for it
	return "env -i LANG=de_DE.UTF-8 PATH=" + dir + " " + dir + "/sh"
}

// TestBundleUnpacks: GNU tar and zstd see what ours wrote: plain files under
// one folder, owned by nobody in particular, and the same bytes each time.
func TestBundleUnpacks(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.history()
	n.Sh("edgectl audit bundle --out a.tar.zst && edgectl audit bundle --out b.tar.zst && cmp a.tar.zst b.tar.zst")
	for line := range strings.SplitSeq(n.Sh("tar --zstd -tvf a.tar.zst --numeric-owner"), "\n") {
		if !strings.HasPrefix(line, "-rw") || !strings.Contains(line, " 0/0 ") || !strings.Contains(line, " audit/") {
			t.Error(line)
		}
	}
	n.Sh("zstd -q -t a.tar.zst && tar --zstd -xf a.tar.zst && edgectl journal export --out - | cmp - audit/records.jsonl")
	n.Sh("cd audit && b3sum --check --quiet B3SUMS && cmp epochs/2/evidence.json $STATE/epoch/current/evidence.json && cmp epochs/2/manifest.json $STATE/runtime/manifest.json")
	n.Sh(`{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; cat audit/keys/manifest-*.pub; } >key.der && ` +
		"openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in audit/epochs/2/manifest.json -sigfile audit/epochs/2/manifest.json.sig")
	if out, _, _ := n.Run("grep -rl 'PRIVATE' audit; grep -c . $STATE/identity/journal-sign.key >/dev/null && grep -rlF \"$(cut -d+ -f5- $STATE/identity/journal-sign.key)\" audit"); strings.Contains(out, "keys/") {
		t.Errorf("a private key is in %s", out)
	}
	// What an auditor unpacks by zstd alone, and what a parallel compressor puts in front.
	n.Sh(`zstd -dqf a.tar.zst -o a.tar && edgectl audit verify a.tar && { printf '\120\052\115\030\004\000\000\000size'; cat a.tar.zst; } >p.tar.zst && edgectl audit verify p.tar.zst`)
}

// TestBundleOfSalvaged: the story of a salvaged journal is checked whole.
func TestBundleOfSalvaged(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.history()
	n.Sh("cp -a state/journal older && edgectl drill --reason more && edged precheck")
	n.Sh("rm -r state/journal && mv older state/journal && edgectl journal salvage --install --reason test && edged precheck")
	n.Sh("edgectl audit bundle --out bundle.tar.zst && tar --zstd -xf bundle.tar.zst")
	if out := n.Sh("sh audit/check.sh"); !strings.Contains(out, "verdict: salvaged") {
		t.Errorf("%s", out)
	}
	n.Sh("edgectl audit verify bundle.tar.zst | grep ': salvaged, '")
	n.Sh("sed -i '2s/\"uptime_ms\":/&1/' audit/predecessor.jsonl; cd audit; (find . -type f ! -name B3SUMS | cut -c 3- | LC_ALL=C sort | xargs b3sum >B3SUMS)")
	if out, _, exit := n.Run("sh audit/check.sh"); exit != 1 || !strings.Contains(out, "predecessor.jsonl: line 3: its link") {
		t.Errorf("exit %d: %s", exit, out)
	}
}

// TestBundleAfterRotation: both verifiers follow the first key to the one that
// signs now, and a bundle whose manifest key was rotated, and signed the same
// manifest again, is honest.
func TestBundleAfterRotation(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.boot()
	n.Sh("cp state/identity/journal-sign.pub first.pub && edgectl journal checkpoint >first.checkpoint && edgectl key rotate checkpoint && edgectl audit bundle --out b.tar.zst")
	n.Sh("edgectl audit verify b.tar.zst --key first.pub --since first.checkpoint | grep ': extended, '")
	n.Sh("edgectl audit verify b.tar.zst --key state/identity/journal-sign.pub | grep ': intact, '")
	n.Sh("tar --zstd -xf b.tar.zst && sh audit/check.sh --key state/identity/journal-sign.pub | grep 'verdict: intact'")
	n.Sh("sh audit/check.sh --key first.pub --since first.checkpoint | grep 'verdict: extended'")
}
