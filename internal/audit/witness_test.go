package audit_test

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"

	"github.com/autonomyops/edged/internal/audit"
	"github.com/autonomyops/edged/internal/history/historytest"
	"github.com/autonomyops/edged/internal/transparency"
)

func newCosigner(t *testing.T, name string) *torchwood.CosignatureSigner {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	historytest.Check(t, err)
	s, err := torchwood.NewCosignatureSigner(name, private)
	historytest.Check(t, err)
	return s
}

// Who has seen a history is what the witnesses that the auditor names have signed.
func TestWitnesses(t *testing.T) {
	h := begin(t)
	key := newSigner(t)
	whole := key.bundle(t, h.Dir)
	path, signed := write(t, whole), takeApart(t, whole).files["checkpoint"]
	seen, other := newCosigner(t, "seen.test"), newCosigner(t, "other.test")
	c, err := transparency.Read(signed)
	historytest.Check(t, err)
	kept := func(text string, by note.Signer) string {
		line, err := note.Sign(&note.Note{Text: text}, by)
		historytest.Check(t, err)
		file := filepath.Join(t.TempDir(), "kept")
		historytest.Check(t, os.WriteFile(file, append(signed[:len(signed):len(signed)], line[len(text)+1:]...), 0o600))
		return file
	}
	v, err := transparency.NewVerifier(key.public)
	historytest.Check(t, err)
	vkey, err := v.ForJournal(c.Journal)
	historytest.Check(t, err)
	policy := func(quorum string) []byte {
		return []byte("log " + vkey + "\nwitness a " + seen.Verifier().String() + "\nwitness b " + other.Verifier().String() + "\ngroup all all a b\nquorum " + quorum + "\n")
	}
	cosigned := kept(c.Text(), seen)
	for _, tt := range []struct {
		name    string
		since   string
		witness *torchwood.CosignatureSigner
		policy  []byte
		want    int // checkpoints that were seen
		code    string
	}{
		{"one that has signed", cosigned, seen, nil, 1, ""},
		{"one that has not", cosigned, other, nil, 0, audit.CodeWitness},
		{"no checkpoint", "", seen, nil, 0, audit.CodeWitness},
		{"a signature over another text", kept("edged/x\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", seen), seen, nil, 0, audit.CodeWitness},
		{"a policy of one", cosigned, nil, policy("a"), 0, ""},
		{"a policy of another one", cosigned, nil, policy("b"), 0, audit.CodePolicy},
		{"a policy of both", cosigned, nil, policy("all"), 0, audit.CodePolicy},
		{"a policy and no checkpoint", "", nil, policy("a"), 0, audit.CodePolicy},
	} {
		opt := audit.VerifyOptions{Key: key.public, Since: tt.since, Policy: tt.policy}
		if tt.witness != nil {
			opt.Witnesses = []string{tt.witness.Verifier().String()}
		}
		r := verdict(t, path, opt)
		if len(r.Witnesses) != tt.want || r.OK != (tt.code == "") || tt.code != "" && !has(r, tt.code) {
			t.Errorf("%s: %+v", tt.name, r)
		}
		for _, w := range r.Witnesses {
			if w.Witness != "seen.test" || w.Journal != c.Journal || w.Events != c.Size || time.Since(w.Time) > time.Hour {
				t.Errorf("%s: %+v", tt.name, w)
			}
		}
	}
	for _, opt := range []audit.VerifyOptions{{Witnesses: []string{key.public}}, {Policy: []byte("quorum x\n")}} {
		if _, err := audit.Verify(context.Background(), path, opt); err == nil {
			t.Errorf("%+v is accepted", opt)
		}
	}
}
