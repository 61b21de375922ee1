package verify_test

import (
	"testing"

	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/transparency"
	"github.com/autonomyops/edged/internal/verify"
	"github.com/autonomyops/edged/machine"
)

// A checkpoint key may follow only the one before it, by a statement that both
// have signed. Any key may be the first of a journal.
func TestCheckpointKeyContinuity(t *testing.T) {
	var keys [3]transparency.Signer
	for i := range keys {
		var err error
		keys[i], err = transparency.GenerateSigner("node")
		historytest.Check(t, err)
	}
	rotate := func(journal string, from, to int) machine.KeyRotated {
		event, err := transparency.Rotate(journal, keys[from], keys[to])
		historytest.Check(t, err)
		return event
	}
	for _, tt := range []struct {
		name   string
		events func(journal string) []machine.KeyRotated
		ok     bool
		detail string
	}{
		{"twice", func(id string) []machine.KeyRotated {
			return []machine.KeyRotated{rotate(id, 0, 1), rotate(id, 1, 2)}
		}, true, ""},
		{"from a key that was not in force", func(id string) []machine.KeyRotated {
			return []machine.KeyRotated{rotate(id, 0, 1), rotate(id, 0, 2)}
		}, false, "but key " + keys[1].Verifier().BLAKE3() + " was in force"},
		{"for another journal", func(string) []machine.KeyRotated {
			return []machine.KeyRotated{rotate("elsewhere", 0, 1)}
		}, false, "it is for journal elsewhere"},
		{"signed by others", func(id string) []machine.KeyRotated {
			e := rotate(id, 0, 1)
			e.Signature = rotate(id, 1, 2).Signature
			return []machine.KeyRotated{e}
		}, false, "has not signed it"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := begin(t)
			for _, e := range tt.events(h.State.Journal) {
				h.NextBoot()
				h.Append(e)
			}
			h.Publish()
			code := verify.CodeKey
			if tt.ok {
				code = ""
			}
			expect(t, h.Dir, tt.ok, code, tt.detail)
		})
	}
}
