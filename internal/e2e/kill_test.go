package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// SIGKILL at random moments of reconstructions: no acknowledged record is lost
// and each replacement advances the epoch exactly once.
func TestE2E_Killed(t *testing.T) {
	h := newHost(t, "setarch", "jq", "timeout")
	h.Sh(`head -c 3000000 /dev/urandom >$STATE/runtime/binaries/edged
printf '{"version":"1","operations":[{"op":"copy_binary","src":"edged","dst":"runtime/edged"}]}' >$STATE/runtime/manifest.json
edgectl manifest sign --state-root $STATE --key $STATE/demo/manifest-verify.key`)
	h.boot("", 0)
	const replacements = 6
	for i := range replacements {
		kernel := []string{"setarch --uname-2.6", "env"}[i%2]
		h.Sh(`head -c 3000000 /dev/urandom >$STATE/runtime/binaries/edged`)
		for range 8 {
			h.Run(fmt.Sprintf(`timeout --signal=KILL 0.%03d %s edged precheck`, 2+rand.IntN(28), kernel))
		}
		h.boot(kernel, 0)
		h.equal("the installed file", h.Sh(`cmp $STATE/runtime/binaries/edged $STATE/runtime/edged && echo same`), "same")
	}
	h.equal("epoch", h.Sh(`jq .boot_epoch $STATE/bootstrap/os_fingerprint.json`), fmt.Sprint(replacements))
	h.Sh(`edgectl journal verify --deep`)
}

// Two gates at once: the second waits for the first; both see one history.
func TestE2E_TwoGates(t *testing.T) {
	h := newHost(t)
	h.boot("", 0)
	h.Sh(`for i in 1 2 3 4 5 6; do edged precheck & done; for job in $(jobs -p); do wait $job; done`)
	h.Sh(`edgectl journal verify --deep`)
	h.equal("records", h.Sh(`edgectl journal export --format jsonl --out - | grep -c FingerprintCaptured`), "7")
}
