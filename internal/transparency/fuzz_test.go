package transparency_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/autonomyops/edged/internal/transparency"
)

// fixed returns keys that are the same in every process of a fuzzer: one process
// signs the seeds, others verify them.
func fixed(f *testing.F) (a, b transparency.Signer) {
	f.Helper()
	a, err := transparency.NewSigner("PRIVATE+KEY+n+796b0d63+AWp+BvnYFwWKyRlm67nWyu8xxEe1G4qQhZKTua0JHeZS")
	check(f, err)
	b, err = transparency.NewSigner("PRIVATE+KEY+n+d1912f6e+AcpRERrrEG0t0WwcZqdqr3ZsWmX7PiwMkl1MhotFqAAK")
	check(f, err)
	return a, b
}

// FuzzCheckpoint: only the signed text opens.
func FuzzCheckpoint(f *testing.F) {
	key, _ := fixed(f)
	_, signed := newLog(3).checkpoint(f, 3, key)
	f.Add(signed)
	f.Add([]byte("edged/x\n1\nAAAA\n\n— n AAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, _, err := transparency.Open(data, key.Verifier())
		if err == nil && !bytes.HasPrefix(signed, []byte(c.Text())) {
			t.Errorf("%q opens as %+v", data, c)
		}
		if c, err := transparency.Read(data); err == nil && !strings.HasPrefix(string(data), c.Text()) {
			t.Errorf("%q reads as %+v", data, c)
		}
	})
}

// FuzzRotation: only the signed statement is accepted.
func FuzzRotation(f *testing.F) {
	a, b := fixed(f)
	e, err := transparency.Rotate("j", a, b)
	check(f, err)
	f.Add(e.Statement, e.Signature)
	f.Fuzz(func(t *testing.T, statement, signature []byte) {
		e := e
		e.Statement, e.Signature = statement, signature
		if r, err := transparency.ReadRotation("j", e); err == nil && (r.Old.String() != a.Verifier().String() || r.New.String() != b.Verifier().String()) {
			t.Errorf("%q leads from %s to %s", statement, r.Old, r.New)
		}
	})
}

// FuzzKey: a key that is read is written as the same text.
func FuzzKey(f *testing.F) {
	key, _ := fixed(f)
	f.Add(key.Verifier().String())
	f.Add(key.Secret())
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := transparency.NewVerifier(text); err == nil && v.String() != strings.TrimSpace(text) {
			t.Errorf("%q is written as %q", text, v)
		}
		if s, err := transparency.NewSigner(text); err == nil && (s.Secret() != strings.TrimSpace(text) || len(s.Verifier().Key()) != 32) {
			t.Errorf("%q is read otherwise", text)
		}
	})
}
