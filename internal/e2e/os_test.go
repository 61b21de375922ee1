package e2e

import (
	"strings"
	"testing"
)

// anotherOS boots under another os-release, bind-mounted in a mount namespace
// of its own.
const anotherOS = `unshare -m bash -c 'printf "ID=other\nVERSION_ID=1\n" >$DIR/other; mount --bind $DIR/other "$(readlink -f /etc/os-release)"; exec edged precheck' ignored`

func TestE2E_OSReplaced(t *testing.T) {
	h := newHost(t, "unshare", "mount", "jq", "b3sum")
	h.contains(h.boot("", 0), "edge.os.fingerprint_initialized")
	h.equal("a clean boot's log", h.boot("", 0), "")

	// b3sum returns the same composite for the same bytes.
	h.equal("composite_hash",
		h.Sh(`jq -r .composite_hash $STATE/bootstrap/os_fingerprint.json`),
		h.Sh(`{ cat /etc/os-release /usr/lib/os-release; printf %s "$(uname -r)"; } | b3sum --no-names`))

	_, logs, exit := h.Run(anotherOS)
	if exit != 0 {
		t.Fatalf("exit %d\n%s", exit, logs)
	}
	h.contains(logs, "edge.os.update_detected", "etc_os_release", "edge.os.reconstruction_completed", "boot_epoch=1")
	if strings.Contains(logs, "uname_release") {
		t.Errorf("the kernel did not change:\n%s", logs)
	}
	h.equal("the os that the epoch was verified for", h.Sh(`jq -r .os_release $STATE/bootstrap/os_fingerprint.json | head -1`), "ID=other")
}

func TestE2E_KernelReplaced(t *testing.T) {
	h := newHost(t, "setarch", "jq", "b3sum")
	h.boot("", 0)
	logs := h.boot("setarch --uname-2.6", 0)
	h.contains(logs, "edge.os.update_detected", "changed=[uname_release]", "boot_epoch=1")
	h.equal("kernel", h.Sh(`jq -r .uname_release $STATE/bootstrap/os_fingerprint.json`), h.Sh(`setarch --uname-2.6 uname -r`))
	h.equal("composite_hash", h.Sh(`jq -r .composite_hash $STATE/bootstrap/os_fingerprint.json`),
		h.Sh(`setarch --uname-2.6 sh -c '{ cat /etc/os-release /usr/lib/os-release; printf %s "$(uname -r)"; } | b3sum --no-names'`))
	h.equal("a clean boot's log", h.boot("setarch --uname-2.6", 0), "")
}

// b3sum and jq are enough to check the exported chain.
func TestE2E_ChainByShell(t *testing.T) {
	h := newHost(t, "setarch", "jq", "b3sum")
	h.boot("", 0)
	h.boot("setarch --uname-2.6", 0)
	h.boot("", 0)
	h.Sh(`edgectl journal export --format jsonl --out $DIR/journal.jsonl`)
	h.Sh(`
prev=$(printf '0%.0s' {1..64}); seq=0
while IFS= read -r line; do
	seq=$((seq + 1))
	[ "$(jq -r .seq <<<"$line")" = $seq ] || { echo "record $seq: wrong seq" >&2; exit 1; }
	[ "$(jq -r .prev <<<"$line")" = "$prev" ] || { echo "record $seq: broken link" >&2; exit 1; }
	prev=$(printf %s "$line" | b3sum --no-names)
done <$DIR/journal.jsonl
[ $seq -ge 9 ] || { echo "only $seq records" >&2; exit 1; }
[ "$prev" = "$(edgectl journal head --json | jq -r .hash)" ] || { echo "the head is another record" >&2; exit 1; }`)
	h.equal("a flipped byte", h.Sh(`sed '2s/"epoch":0/"epoch":1/' $DIR/journal.jsonl >$DIR/bad.jsonl; edgectl journal verify --journal $DIR/bad.jsonl >/dev/null && echo passed || echo found`), "found")
}

// Mission data is never read, written or moved.
func TestE2E_MissionDataUntouched(t *testing.T) {
	h := newHost(t, "setarch", "b3sum")
	h.Sh(`mkdir -p $STATE/edge/segments $STATE/edge/relay
head -c 1000000 /dev/urandom >$STATE/edge/segments/0001.seg; head -c 5000 /dev/urandom >$STATE/edge/relay/relay.db
ln $STATE/edge/segments/0001.seg $STATE/edge/segments/hard; ln -s /nowhere $STATE/edge/segments/soft`)
	tree := `cd $STATE/edge && { find . -printf '%p %i %m %u %T@ %s %l\n' | sort; find . -type f | sort | xargs b3sum; }`
	before := h.Sh(tree)
	h.boot("", 0)
	h.boot("setarch --uname-2.6", 0)
	h.Sh(`sed -i 's/"composite_hash": "./"composite_hash": "0/' $STATE/bootstrap/os_fingerprint.json`)
	h.boot("setarch --uname-2.6", 0)
	h.equal("edge/", h.Sh(tree), before)
}
