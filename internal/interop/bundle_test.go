package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var bundleTools = []string{"sh", "tar", "zstd", "b3sum", "jq", "openssl"}

// history gives the node some boots and two epochs.
func (n *node) history() {
	n.t.Helper()
	n.boot()
	for range 2 {
		n.sh("edgectl drill --reason exercise")
		n.boot()
		n.boot()
	}
}

// TestBundleScript: a bundle is checked by its own script with none of our
// software in the path, and by nothing but the tools that it names.
func TestBundleScript(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.history()
	n.sh("edgectl audit bundle --out bundle.tar.zst && mkdir plain && tar -C plain --zstd -xf bundle.tar.zst")
	n.sh("cp state/identity/journal-sign.pub held.pub")
	isolated := n.onlyTools(append(bundleTools, strings.Fields("split truncate sha256sum paste base64 basenc seq cmp dirname realpath mktemp rm mkdir cut wc cat head tail sort mv tr comm uniq")...))
	out := n.sh(isolated + " plain/audit/check.sh")
	for _, want := range []string{"ok: the files", "ok: records.jsonl: ", "ok: epochs: 2,", "ok: checkpoint: over exactly these records, signed by ", "the key came with the bundle"} {
		if !strings.Contains(out, want) {
			t.Errorf("the script does not say %q:\n%s", want, out)
		}
	}
	if out := n.sh(isolated + " plain/audit/check.sh held.pub"); strings.Contains(out, "came with the bundle") {
		t.Errorf("with the key:\n%s", out)
	}
	// Every one of these is noticed; where the list of hashes would notice it
	// first, it is made right again.
	again := "; (cd bad/audit && find . -type f ! -name B3SUMS | cut -c 3- | LC_ALL=C sort | xargs b3sum >B3SUMS)"
	for _, tt := range []struct{ name, alter, says string }{
		{"a file edited", "echo x >>bad/audit/README.txt", "not the one that B3SUMS lists"},
		{"a record edited", `sed -i '3s/"uptime_ms":/&1/' bad/audit/records.jsonl` + again, "a link is broken: line 4"},
		{"the newest record edited", `sed -i '$s/"uptime_ms":/&1/' bad/audit/records.jsonl` + again, "bundle.json does not say what is here"},
		{"a record deleted", `sed -i 3d bad/audit/records.jsonl` + again, "not in its place"},
		{"the newest record deleted", `sed -i '$d' bad/audit/records.jsonl` + again, ""},
		{"two records exchanged", `sed -i '2{h;d};3{G}' bad/audit/records.jsonl` + again, "not in its place"},
		{"cut short", "truncate -s -1 bad/audit/records.jsonl" + again, "cut short"},
		{"another size", `sed -i '2s/.*/1/' bad/audit/checkpoint` + again, "it is over 1 records"},
		{"another root", `sed -i '3s/.*/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=/' bad/audit/checkpoint` + again, "over other records"},
		{"another journal", `sed -i '1s/.*/edged\/x/' bad/audit/checkpoint` + again, "it is of edged/x"},
		{"a line in the checkpoint", `sed -i '3a more' bad/audit/checkpoint` + again, "none of a checkpoint"},
		{"another signature", `sed -i '5s/ [^ ]*$/ AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=/' bad/audit/checkpoint` + again, "not signed by "},
		{"an epoch's evidence edited", `sed -i 's/"seq": /&1/' bad/audit/epochs/1/evidence.json` + again, "is not of that epoch's record"},
		{"a manifest edited", "echo >>bad/audit/epochs/1/manifest.json" + again, "is not the one that the record names"},
		{"a manifest's signature edited", "head -c 64 /dev/zero >bad/audit/epochs/2/manifest.json.sig" + again, "does not verify"},
		{"a manifest key exchanged", "rm bad/audit/keys/manifest-*.pem; for f in bad/audit/keys/manifest-*.pub; do head -c 32 /dev/zero >$f; done" + again, "is another key"},
		{"an epoch left out", "rm -r bad/audit/epochs/2" + again, "the bundle has not"},
		{"an epoch added", "cp -r bad/audit/epochs/2 bad/audit/epochs/3" + again, "no such epoch"},
		{"an epoch with one more file", "echo {} >bad/audit/epochs/1/more.json" + again, "epochs/1/more.json: the records have no such epoch"},
		{"an epoch's config hash edited", `sed -i 's/"config_hash": "/&0/' bad/audit/epochs/1/evidence.json` + again, "is not of that epoch's record"},
		{"an epoch's fingerprint edited", `sed -i 's/"uname_release": "/&x/' bad/audit/epochs/1/evidence.json` + again, "is not of that epoch's record"},
		{"a member twice in evidence", `sed -i 's/^  "binary_hash": .*/  "binary_hash": "x",\n&/' bad/audit/epochs/1/evidence.json` + again, "is not written as a gate writes it"},
		{"a list of no hashes", ": >bad/audit/B3SUMS", "B3SUMS does not list "},
		{"a list of one hash", "sed -i 1q bad/audit/B3SUMS", "B3SUMS does not list "},
		{"a list that names a file twice", "sed -i '1{p}' bad/audit/B3SUMS", "it lists a file twice"},
		{"a file that is not listed", "echo x >bad/audit/.more", "B3SUMS does not list .more"},
		{"a file that is a link", "mv bad/audit/README.txt bad/x; ln -s ../x bad/audit/README.txt", "no regular file"},
		{"a .pem of another key", "openssl genpkey -algorithm ed25519 | openssl pkey -pubout >bad/audit/keys/journal-sign.pem" + again, "keys/journal-sign.pem is not of the key"},
		{"a manifest's .pem of another key", "cp bad/audit/keys/journal-sign.pem bad/audit/keys/manifest-*.pem" + again, "is not of the key in keys/manifest-"},
		{"a .pem of no key here", "cp bad/audit/keys/journal-sign.pem bad/audit/keys/x.pem" + again, "no .pub beside it"},
		{"bundle.json of another node", `sed -i 's/"node": "/&x/' bad/audit/bundle.json` + again, "bundle.json does not say what is here"},
		{"bundle.json says unsigned", `sed -i 's/"signed": true/"signed": false/' bad/audit/bundle.json` + again, "bundle.json does not say what is here"},
		{"bundle.json with a member twice", `sed -i 's/"events"/"events": 5, &/' bad/audit/bundle.json` + again, `member ["events"] comes twice`},
		{"a member twice in the newest record", `sed -i '$s/"crit":true/&,&/;$s/"crit":false/&,&/' bad/audit/records.jsonl` + again, "not in its canonical form"},
		{"a space in the newest record", `sed -i '$s/{/{ /' bad/audit/records.jsonl` + again, "not in its canonical form"},
		{"a number that is not whole", `sed -i '$s/"uptime_ms":[0-9]*/&.0/' bad/audit/records.jsonl` + again, "not in its canonical form"},
		{"a number that is a text", `sed -i '$s/"seq":\([0-9]*\)/"seq":"\1"/' bad/audit/records.jsonl` + again, "not in its place"},
		{"a line that is not JSON", `sed -i '$s/{/[/' bad/audit/records.jsonl` + again, "not JSON"},
		{"a predecessor that none continues", "cp bad/audit/records.jsonl bad/audit/predecessor.jsonl" + again, "no journal here says"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.sh("rm -rf bad && cp -r plain bad; " + tt.alter)
			out, errs, exit := n.run(isolated + " bad/audit/check.sh held.pub")
			if exit != 1 || !strings.Contains(out, "WRONG: ") || !strings.Contains(out, tt.says) {
				t.Errorf("exit %d, want WRONG: %s\n%s%s", exit, tt.says, out, errs)
			}
		})
	}
}

// onlyTools is the beginning of a command that finds nothing but these tools.
func (n *node) onlyTools(tools []string) string {
	n.t.Helper()
	dir := filepath.Join(n.dir, "tools")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	for _, tool := range tools {
		n.sh(`ln -sf "$(command -v ` + tool + `)" tools/` + tool)
	}
	return "env -i LANG=de_DE.UTF-8 PATH=" + dir + " " + dir + "/sh"
}

// TestBundleUnpacks: GNU tar and zstd see what ours wrote: plain files under
// one folder, owned by nobody in particular, and the same bytes each time.
func TestBundleUnpacks(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.history()
	n.sh("edgectl audit bundle --out a.tar.zst && edgectl audit bundle --out b.tar.zst && cmp a.tar.zst b.tar.zst")
	for line := range strings.SplitSeq(n.sh("tar --zstd -tvf a.tar.zst --numeric-owner"), "\n") {
		if !strings.HasPrefix(line, "-rw") || !strings.Contains(line, " 0/0 ") || !strings.Contains(line, " audit/") {
			t.Error(line)
		}
	}
	n.sh("zstd -q -t a.tar.zst && tar --zstd -xf a.tar.zst && edgectl journal export --out - | cmp - audit/records.jsonl")
	n.sh("cd audit && b3sum --check --quiet B3SUMS && cmp epochs/2/evidence.json $STATE/epoch/current/evidence.json && cmp epochs/2/manifest.json $STATE/runtime/manifest.json")
	n.sh("openssl pkeyutl -verify -pubin -inkey audit/keys/manifest-*.pem -rawin -in audit/epochs/2/manifest.json -sigfile audit/epochs/2/manifest.json.sig")
	if out, _, _ := n.run("grep -rl 'PRIVATE' audit; grep -c . $STATE/identity/journal-sign.key >/dev/null && grep -rlF \"$(cut -d+ -f5 $STATE/identity/journal-sign.key)\" audit"); strings.Contains(out, "keys/") {
		t.Errorf("a private key is in %s", out)
	}
}

// TestBundleOfSalvaged: the story of a salvaged journal is checked whole.
func TestBundleOfSalvaged(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.history()
	n.sh("cp -a state/journal older && edgectl drill --reason more && edged precheck")
	n.sh("rm -r state/journal && mv older state/journal && edgectl journal salvage --install --reason test && edged precheck")
	n.sh("edgectl audit bundle --out bundle.tar.zst && tar --zstd -xf bundle.tar.zst")
	out := n.sh("sh audit/check.sh")
	if !strings.Contains(out, "ok: predecessor.jsonl: ") || !strings.Contains(out, "note: this history continues a damaged journal; what was kept of that one is here: ") {
		t.Errorf("%s", out)
	}
	n.sh("edgectl audit verify bundle.tar.zst | grep ': salvaged, '")
	n.sh("sed -i '2s/\"uptime_ms\":/&1/' audit/predecessor.jsonl; cd audit; grep -v predecessor B3SUMS >x && b3sum predecessor.jsonl >>x && mv x B3SUMS")
	if out, _, exit := n.run("sh audit/check.sh"); exit != 1 || !strings.Contains(out, "predecessor.jsonl: a link is broken") {
		t.Errorf("exit %d: %s", exit, out)
	}
}

// TestBundleAfterRotation: who holds only the first key follows it to the one
// that signs now; the script, which does not, says so.
func TestBundleAfterRotation(t *testing.T) {
	n := newNode(t, bundleTools...)
	n.boot()
	n.sh("cp state/identity/journal-sign.pub first.pub && edgectl journal checkpoint >first.checkpoint && edgectl key rotate checkpoint && edgectl audit bundle --out b.tar.zst")
	n.sh("edgectl audit verify b.tar.zst --key first.pub --since first.checkpoint | grep ': extended, '")
	n.sh("edgectl audit verify b.tar.zst --key state/identity/journal-sign.pub | grep ': intact, '")
	n.sh("tar --zstd -xf b.tar.zst && sh audit/check.sh state/identity/journal-sign.pub")
	if out, _, exit := n.run("sh audit/check.sh first.pub"); exit != 1 || !strings.Contains(out, "where that key was rotated, edgectl audit verify --key follows") {
		t.Errorf("exit %d: %s", exit, out)
	}
}
